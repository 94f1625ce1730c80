// What the host gives a function, and what the prelude remembers while one request is under way.
//
// The module is evaluated once, at build time, and its memory is the snapshot that every instance starts
// from. There is no host then, so everything here must be lazy.
import platform from "alula:js/platform@0.1.0";
import native from "alula:js/native@0.1.0";

export { platform, native };

// The component model's streams, taken before the function's code can replace the global.
export const HostStream = wit.Stream;
const U8 = wit.Stream.U8;

// The size of one piece of a body; the host takes no more at once.
export const PIECE = 65536;

export const life = {
  // True while the module is evaluated at build time.
  loading: true,
  // True from the end of one request to the start of the next: nothing new may be started.
  ended: false,
};

export function requireHost(what) {
  if (life.loading) {
    throw new Error(`${what} cannot be used while the module loads; use it in the handler`);
  }
  if (life.ended) {
    throw new Error(`${what} cannot be used after the request has ended; see ctx.waitUntil`);
  }
}

// --- operations that the end of the request cancels ---

const operations = new Set();
let nextId = 1;

export function newId() {
  nextId = (nextId + 1) & 0x3fffffff;
  return nextId;
}

// Runs an operation of the host under a number by which it can be cancelled.
export async function operation(start) {
  const id = newId();
  operations.add(id);
  try {
    return await start(id);
  } finally {
    operations.delete(id);
  }
}

export function cancel(id) {
  if (operations.has(id)) platform.cancel(id);
}

export function cancelAll() {
  for (const id of operations) platform.cancel(id);
}

// --- bodies ---

// A body the host is sending: read once, from its start to its end.
export class HostBody {
  constructor(chunks) {
    this.id = chunks.id;
    this.bytes = chunks.bytes;
    this.reading = false;
    this.failed = null;
    this.interrupt = null;
  }

  // The next piece, or null at the end. Rejects when the body ended early.
  async read() {
    if (this.failed) throw this.failed.error;
    if (this.bytes === null) return null;
    const piece = await this.#next();
    if (piece.length > 0) return piece;
    const error = platform.bodyError(this.id);
    this.drop();
    if (error) throw new TypeError(error);
    return null;
  }

  // Not a race with one lasting promise of failure: that would keep every piece that ever won.
  #next() {
    this.reading = true;
    return new Promise((resolve, reject) => {
      this.interrupt = reject;
      this.bytes.read(PIECE).then((piece) => {
        this.reading = false;
        this.interrupt = null;
        if (this.failed) this.drop();
        resolve(piece);
      }, reject);
    });
  }

  // Ends it early for the reader, who gets the error.
  fail(error) {
    this.failed ??= { error };
    this.interrupt?.(error);
    this.drop();
  }

  // Tells the sender that nobody reads on. A read under way keeps the stream until it ends.
  drop() {
    if (this.bytes === null || this.reading) return;
    this.bytes.drop();
    this.bytes = null;
  }
}

// Sends what `next` gives (a piece, or null at the end) as a body. Returns the record for the host and a
// promise of the end, true when everything was taken.
export function sendBody(next, abandon) {
  const id = newId();
  const { readable, writable } = HostStream(U8);
  const done = (async () => {
    try {
      for (;;) {
        const piece = await next();
        if (piece === null) return true;
        for (let at = 0; at < piece.length; ) {
          const sent = await writable.write(piece.subarray(at, at + PIECE));
          if (sent === 0) {
            await abandon(new TypeError("the receiver of the body went away"));
            return false;
          }
          at += sent;
        }
      }
    } catch (error) {
      platform.failBody(id, String(error?.message ?? error).toWellFormed());
      return false;
    } finally {
      writable.drop();
    }
  })();
  return { chunks: { id, bytes: readable }, done };
}

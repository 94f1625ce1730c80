// Readable streams (https://streams.spec.whatwg.org/, section 4).
import { pipe } from "./pipe.js";

export const STATE = Symbol("state");

function deferred() {
  return Promise.withResolvers();
}

function quiet(promise) {
  promise.catch(() => {});
  return promise;
}

export function highWaterMark(strategy, fallback) {
  const mark = strategy?.highWaterMark;
  if (mark === undefined) return fallback;
  const number = Number(mark);
  if (Number.isNaN(number) || number < 0) {
    throw new RangeError(`The property 'strategy.highWaterMark' is invalid. Received ${mark}`);
  }
  return number;
}

// --- the stream's own state: one plain object, shared by stream, controller and reader ---

function newState(source, hwm, size, bytes) {
  return {
    stream: null,
    status: "readable",
    error: undefined,
    disturbed: false,
    reader: null,
    requests: [],
    queue: [],
    queued: 0,
    started: false,
    closing: false,
    pulling: false,
    again: false,
    hwm,
    size,
    bytes,
    source,
    controller: null,
  };
}

function desired(s) {
  if (s.status === "errored") return null;
  return s.status === "closed" ? 0 : s.hwm - s.queued;
}

function pullIfNeeded(s) {
  if (s.status !== "readable" || s.closing || !s.started) return;
  if (s.requests.length === 0 && desired(s) <= 0) return;
  if (s.pulling) {
    s.again = true;
    return;
  }
  if (typeof s.source?.pull !== "function") return;
  s.pulling = true;
  attempt(() => s.source.pull(s.controller)).then(
    () => {
      s.pulling = false;
      if (s.again) {
        s.again = false;
        pullIfNeeded(s);
      }
    },
    (error) => fail(s, error),
  );
}

// Runs a callback of the stream's author; whatever it throws becomes a rejection.
export function attempt(callback) {
  try {
    return Promise.resolve(callback());
  } catch (error) {
    return Promise.reject(error);
  }
}

export function fail(s, error) {
  if (s.status !== "readable") return;
  s.status = "errored";
  s.error = error;
  s.queue = [];
  s.queued = 0;
  const requests = s.requests;
  s.requests = [];
  for (const request of requests) request.reject(error);
  s.reader?._closed.reject(error);
}

function finish(s) {
  s.status = "closed";
  const requests = s.requests;
  s.requests = [];
  for (const { resolve, view } of requests) {
    resolve({ value: view && emptyView(view), done: true });
  }
  s.reader?._closed.resolve(undefined);
}

function emptyView(view) {
  return new view.constructor(view.buffer, view.byteOffset, 0);
}

function enqueue(s, chunk) {
  if (s.status !== "readable" || s.closing) {
    throw new TypeError("Invalid state: Controller is already closed");
  }
  const first = s.requests[0];
  if (first && !first.view) {
    s.requests.shift();
    first.resolve({ value: chunk, done: false });
  } else {
    let size;
    try {
      size = s.bytes ? chunk.byteLength : s.size === undefined ? 1 : Number(s.size(chunk));
      if (Number.isNaN(size) || size < 0 || size === Infinity) {
        throw new RangeError(`The chunk's size is invalid: ${size}`);
      }
    } catch (error) {
      fail(s, error);
      throw error;
    }
    s.queue.push({ chunk, size });
    s.queued += size;
    while (s.requests.length > 0 && s.queued > 0) {
      const request = s.requests.shift();
      request.resolve({ value: fill(s, request.view), done: false });
    }
  }
  pullIfNeeded(s);
}

function close(s) {
  if (s.status !== "readable" || s.closing) {
    throw new TypeError("Invalid state: Controller is already closed");
  }
  s.closing = true;
  if (s.queue.length === 0) finish(s);
}

// Takes the first chunk off the queue.
function take(s) {
  const { chunk, size } = s.queue.shift();
  s.queued = Math.max(0, s.queued - size);
  if (s.closing && s.queue.length === 0) finish(s);
  else pullIfNeeded(s);
  return chunk;
}

// Copies queued bytes into a reader's view.
function fill(s, view) {
  const target = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  let at = 0;
  while (at < target.length && s.queue.length > 0) {
    const head = s.queue[0];
    const part = head.chunk.subarray(0, target.length - at);
    target.set(part, at);
    at += part.length;
    s.queued -= part.length;
    if (part.length === head.chunk.length) s.queue.shift();
    else head.chunk = head.chunk.subarray(part.length);
  }
  if (s.closing && s.queue.length === 0) finish(s);
  else pullIfNeeded(s);
  return new view.constructor(view.buffer, view.byteOffset, at / (view.BYTES_PER_ELEMENT ?? 1));
}

export function cancelStream(s, reason) {
  s.disturbed = true;
  if (s.status === "closed") return Promise.resolve();
  if (s.status === "errored") return Promise.reject(s.error);
  s.queue = [];
  s.queued = 0;
  finish(s);
  if (typeof s.source?.cancel !== "function") return Promise.resolve();
  return attempt(() => s.source.cancel(reason)).then(() => undefined);
}

// --- what programs see ---

const MAKE = Symbol("make");

export class ReadableStreamDefaultController {
  #s;

  constructor(key, s) {
    if (key !== MAKE) throw new TypeError("Illegal constructor");
    this.#s = s;
  }

  get desiredSize() {
    return desired(this.#s);
  }

  enqueue(chunk) {
    enqueue(this.#s, chunk);
  }

  close() {
    close(this.#s);
  }

  error(error) {
    fail(this.#s, error);
  }
}

export class ReadableByteStreamController {
  #s;

  constructor(key, s) {
    if (key !== MAKE) throw new TypeError("Illegal constructor");
    this.#s = s;
  }

  get desiredSize() {
    return desired(this.#s);
  }

  // The view of a reader that waits, to be filled in place.
  get byobRequest() {
    const s = this.#s;
    const view = s.requests[0]?.view;
    if (!view) return null;
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const respond = (length) => {
      const { resolve } = s.requests.shift();
      const count = length / (view.BYTES_PER_ELEMENT ?? 1);
      resolve({ value: new view.constructor(view.buffer, view.byteOffset, count), done: false });
    };
    return { view: bytes, respond, respondWithNewView: (other) => respond(other.byteLength) };
  }

  enqueue(chunk) {
    if (!ArrayBuffer.isView(chunk) || chunk.byteLength === 0) {
      throw new TypeError("a byte stream takes views of at least one byte");
    }
    enqueue(this.#s, new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength));
  }

  close() {
    close(this.#s);
  }

  error(error) {
    fail(this.#s, error);
  }
}

class Reader {
  constructor(stream) {
    const s = stream?.[STATE];
    if (!s) throw new TypeError("a ReadableStream was expected");
    if (s.reader) throw new TypeError("Invalid state: ReadableStream is locked");
    this._s = s;
    this._closed = deferred();
    quiet(this._closed.promise);
    s.reader = this;
    if (s.status === "closed") this._closed.resolve(undefined);
    if (s.status === "errored") this._closed.reject(s.error);
  }

  get closed() {
    return this._closed.promise;
  }

  cancel(reason) {
    if (!this._s) return Promise.reject(released());
    return cancelStream(this._s, reason);
  }

  releaseLock() {
    const s = this._s;
    if (!s) return;
    const requests = s.requests;
    s.requests = [];
    for (const request of requests) request.reject(released());
    this._closed.reject(released());
    this._closed = { promise: quiet(Promise.reject(released())), resolve() {}, reject() {} };
    s.reader = null;
    this._s = null;
  }
}

function released() {
  const error = new TypeError("Invalid state: The reader is not attached to a stream");
  error.code = "ERR_INVALID_STATE";
  return error;
}

export class ReadableStreamDefaultReader extends Reader {
  read() {
    const s = this._s;
    if (!s) return Promise.reject(released());
    s.disturbed = true;
    if (s.queue.length > 0) return Promise.resolve({ value: take(s), done: false });
    if (s.status === "closed") return Promise.resolve({ value: undefined, done: true });
    if (s.status === "errored") return Promise.reject(s.error);
    const { promise, resolve, reject } = deferred();
    s.requests.push({ resolve, reject });
    pullIfNeeded(s);
    return promise;
  }
}

export class ReadableStreamBYOBReader extends Reader {
  constructor(stream) {
    if (!stream?.[STATE]?.bytes) throw new TypeError("the stream is not a byte stream");
    super(stream);
  }

  read(view) {
    const s = this._s;
    if (!s) return Promise.reject(released());
    if (!ArrayBuffer.isView(view) || view.byteLength === 0) {
      return Promise.reject(new TypeError("a view of at least one byte was expected"));
    }
    s.disturbed = true;
    if (s.status === "errored") return Promise.reject(s.error);
    if (s.queue.length > 0) return Promise.resolve({ value: fill(s, view), done: false });
    if (s.status === "closed") return Promise.resolve({ value: emptyView(view), done: true });
    const { promise, resolve, reject } = deferred();
    s.requests.push({ resolve, reject, view });
    pullIfNeeded(s);
    return promise;
  }
}

export class ReadableStream {
  constructor(source = {}, strategy = {}) {
    if (source === null) throw new TypeError("the source must be an object");
    const bytes = source.type === "bytes";
    if (source.type !== undefined && !bytes) throw new TypeError("the type must be 'bytes'");
    const s = newState(source, highWaterMark(strategy, bytes ? 0 : 1), strategy?.size, bytes);
    const Controller = bytes ? ReadableByteStreamController : ReadableStreamDefaultController;
    s.controller = new Controller(MAKE, s);
    s.stream = this;
    this[STATE] = s;
    const started = source.start?.(s.controller);
    Promise.resolve(started).then(
      () => {
        s.started = true;
        pullIfNeeded(s);
      },
      (error) => fail(s, error),
    );
  }

  static from(iterable) {
    const method = iterable?.[Symbol.asyncIterator] ?? iterable?.[Symbol.iterator];
    if (typeof method !== "function") throw new TypeError("an iterable was expected");
    const iterator = method.call(iterable);
    const source = {
      async pull(controller) {
        const { value, done } = await iterator.next();
        if (done) controller.close();
        else controller.enqueue(await value);
      },
      async cancel(reason) {
        await iterator.return?.(reason);
      },
    };
    return new ReadableStream(source, { highWaterMark: 0 });
  }

  get locked() {
    return this[STATE].reader !== null;
  }

  cancel(reason) {
    if (this.locked) return Promise.reject(new TypeError("Invalid state: ReadableStream is locked"));
    return cancelStream(this[STATE], reason);
  }

  getReader(options) {
    if (options?.mode === undefined) return new ReadableStreamDefaultReader(this);
    if (String(options.mode) !== "byob") throw new TypeError("the mode must be 'byob'");
    return new ReadableStreamBYOBReader(this);
  }

  tee() {
    const reader = this.getReader();
    const cancelled = deferred();
    const reasons = [];
    const branches = [];
    const gone = [false, false];
    let reading = false;
    let again = false;
    const pull = async () => {
      if (reading) {
        again = true;
        return;
      }
      reading = true;
      try {
        const { value, done } = await reader.read();
        reading = false;
        branches.forEach((branch, i) => {
          if (gone[i]) return;
          if (done) close(branch[STATE]);
          else enqueue(branch[STATE], value);
        });
        if (done) cancelled.resolve(undefined);
        else if (again) {
          again = false;
          pull();
        }
      } catch (error) {
        reading = false;
        for (const branch of branches) fail(branch[STATE], error);
        cancelled.resolve(undefined);
      }
    };
    const cancel = (i) => (reason) => {
      gone[i] = true;
      reasons[i] = reason;
      if (gone[0] && gone[1]) reader.cancel(reasons).then(cancelled.resolve, cancelled.reject);
      return cancelled.promise;
    };
    for (const i of [0, 1]) branches.push(new ReadableStream({ pull, cancel: cancel(i) }));
    return branches;
  }

  pipeTo(destination, options = {}) {
    return pipe(this, destination, options);
  }

  pipeThrough(transform, options = {}) {
    quiet(pipe(this, transform.writable, options));
    return transform.readable;
  }

  values(options = {}) {
    const reader = this.getReader();
    const end = (value) => {
      reader.releaseLock();
      return { value, done: true };
    };
    return {
      async next() {
        try {
          const result = await reader.read();
          return result.done ? end(undefined) : result;
        } catch (error) {
          reader.releaseLock();
          throw error;
        }
      },
      async return(value) {
        if (!options?.preventCancel) await reader.cancel(value);
        return end(value);
      },
      [Symbol.asyncIterator]() {
        return this;
      },
    };
  }

  [Symbol.asyncIterator](options) {
    return this.values(options);
  }

  get [Symbol.toStringTag]() {
    return "ReadableStream";
  }
}

export class CountQueuingStrategy {
  constructor({ highWaterMark: mark }) {
    this.highWaterMark = mark;
  }

  size() {
    return 1;
  }
}

export class ByteLengthQueuingStrategy {
  constructor({ highWaterMark: mark }) {
    this.highWaterMark = mark;
  }

  size(chunk) {
    return chunk.byteLength;
  }
}

// Writable and transform streams (https://streams.spec.whatwg.org/, sections 5 and 6).
import { STATE, ReadableStream, attempt, fail, highWaterMark } from "./readable.js";
import { TextDecoder, encodeUtf8 } from "./encoding.js";
import { AbortController } from "./events.js";

function deferred() {
  const made = Promise.withResolvers();
  made.promise.catch(() => {});
  return made;
}

function resolved() {
  const made = deferred();
  made.resolve(undefined);
  return made;
}

// --- the stream's own state ---

function backpressure(s) {
  return s.hwm - s.queued <= 0;
}

function updateReady(s) {
  const writer = s.writer;
  if (!writer) return;
  if (s.status !== "writable") return;
  const held = backpressure(s);
  if (held && !writer._held) writer._ready = deferred();
  if (!held && writer._held) writer._ready.resolve(undefined);
  writer._held = held;
}

function advance(s) {
  if (!s.started || s.busy) return;
  if (s.status === "erroring") {
    giveUp(s);
    return;
  }
  const entry = s.queue[0];
  if (!entry) return;
  s.busy = true;
  const run = entry.close ? () => s.sink.close?.() : () => s.sink.write?.(entry.chunk, s.controller);
  attempt(run).then(
    () => {
      s.busy = false;
      s.queue.shift();
      s.queued = Math.max(0, s.queued - entry.size);
      entry.done.resolve(undefined);
      if (entry.close) closed(s);
      else {
        updateReady(s);
        advance(s);
      }
    },
    (error) => {
      s.busy = false;
      s.queue.shift();
      entry.done.reject(error);
      if (s.status === "writable") startErroring(s, error);
      else advance(s);
    },
  );
}

function closed(s) {
  if (s.status === "erroring") {
    s.aborting?.done.resolve(undefined);
    s.aborting = null;
  }
  s.status = "closed";
  s.writer?._closed.resolve(undefined);
  s.writer?._ready.resolve(undefined);
}

function startErroring(s, error) {
  if (s.status !== "writable") return;
  s.status = "erroring";
  s.error = error;
  if (s.writer) {
    if (!s.writer._held) s.writer._ready = deferred();
    s.writer._held = true;
    s.writer._ready.reject(error);
  }
  if (!s.busy && s.started) giveUp(s);
}

// Ends an erroring stream once nothing is being written.
function giveUp(s) {
  s.status = "errored";
  const queue = s.queue;
  s.queue = [];
  s.queued = 0;
  for (const entry of queue) entry.done.reject(s.error);
  const abort = s.aborting;
  s.aborting = null;
  const end = () => s.writer?._closed.reject(s.error);
  if (!abort || abort.late) {
    abort?.done.reject(s.error);
    end();
    return;
  }
  attempt(() => s.sink.abort?.(abort.reason)).then(
    () => {
      abort.done.resolve(undefined);
      end();
    },
    (error) => {
      abort.done.reject(error);
      end();
    },
  );
}

function abortStream(s, reason) {
  if (s.status === "closed" || s.status === "errored") return Promise.resolve();
  s.abort.abort(reason);
  if (s.aborting) return s.aborting.done.promise;
  const late = s.status === "erroring";
  const aborting = { reason, late, done: deferred() };
  s.aborting = aborting;
  startErroring(s, reason);
  return aborting.done.promise;
}

function write(s, chunk) {
  let size = 1;
  try {
    if (s.size !== undefined) size = Number(s.size(chunk));
  } catch (error) {
    startErroring(s, error);
  }
  if (s.status === "errored" || s.status === "erroring") return rejected(s.error);
  if (s.status === "closed" || s.closing) {
    return rejected(stateError("WritableStream is closed"));
  }
  const done = deferred();
  s.queue.push({ chunk, size, done });
  s.queued += size;
  updateReady(s);
  advance(s);
  return done.promise;
}

function closeStream(s) {
  if (s.closing || s.status === "closed") {
    return rejected(stateError("WritableStream is closed"));
  }
  if (s.status === "errored") return rejected(s.error);
  s.closing = true;
  const done = deferred();
  s.queue.push({ close: true, size: 0, done });
  if (s.status === "writable") {
    s.writer?._ready.resolve(undefined);
    if (s.writer) s.writer._held = false;
  }
  advance(s);
  return done.promise;
}

function rejected(error) {
  const promise = Promise.reject(error);
  promise.catch(() => {});
  return promise;
}

function stateError(text) {
  const error = new TypeError(`Invalid state: ${text}`);
  error.code = "ERR_INVALID_STATE";
  return error;
}

// --- what programs see ---

export class WritableStreamDefaultController {
  #s;

  constructor(s) {
    this.#s = s;
  }

  get signal() {
    return this.#s.abort.signal;
  }

  error(error) {
    startErroring(this.#s, error);
  }
}

export class WritableStreamDefaultWriter {
  constructor(stream) {
    const s = stream?.[STATE];
    if (!s) throw new TypeError("a WritableStream was expected");
    if (s.writer) throw stateError("WritableStream is locked");
    s.writer = this;
    this._s = s;
    this._closed = s.status === "closed" ? resolved() : deferred();
    this._held = s.status === "writable" && !s.closing && backpressure(s);
    this._ready = this._held ? deferred() : resolved();
    if (s.status === "errored" || s.status === "erroring") {
      this._ready = deferred();
      this._ready.reject(s.error);
      if (s.status === "errored") this._closed.reject(s.error);
    }
  }

  get closed() {
    return this._closed.promise;
  }

  get ready() {
    return this._ready.promise;
  }

  get desiredSize() {
    const s = this._s;
    if (!s) throw stateError("the writer is not attached to a stream");
    if (s.status === "errored" || s.status === "erroring") return null;
    return s.status === "closed" ? 0 : s.hwm - s.queued;
  }

  write(chunk) {
    return this._s ? write(this._s, chunk) : rejected(stateError("the writer is detached"));
  }

  close() {
    return this._s ? closeStream(this._s) : rejected(stateError("the writer is detached"));
  }

  abort(reason) {
    return this._s ? abortStream(this._s, reason) : rejected(stateError("the writer is detached"));
  }

  releaseLock() {
    if (!this._s) return;
    this._s.writer = null;
    this._s = null;
    const error = stateError("the writer is detached");
    this._closed.reject(error);
    this._ready.reject(error);
    this._closed = this._ready = deferred();
    this._closed.reject(error);
  }
}

export class WritableStream {
  constructor(sink = {}, strategy = {}) {
    const s = {
      status: "writable",
      error: undefined,
      writer: null,
      queue: [],
      queued: 0,
      started: false,
      busy: false,
      closing: false,
      aborting: null,
      abort: new AbortController(),
      hwm: highWaterMark(strategy, 1),
      size: strategy?.size,
      sink: sink ?? {},
      controller: null,
    };
    s.controller = new WritableStreamDefaultController(s);
    this[STATE] = s;
    const started = s.sink.start?.(s.controller);
    Promise.resolve(started).then(
      () => {
        s.started = true;
        advance(s);
      },
      (error) => {
        s.started = true;
        startErroring(s, error);
      },
    );
  }

  get locked() {
    return this[STATE].writer !== null;
  }

  getWriter() {
    return new WritableStreamDefaultWriter(this);
  }

  abort(reason) {
    if (this.locked) return rejected(stateError("WritableStream is locked"));
    return abortStream(this[STATE], reason);
  }

  close() {
    if (this.locked) return rejected(stateError("WritableStream is locked"));
    return closeStream(this[STATE]);
  }

  get [Symbol.toStringTag]() {
    return "WritableStream";
  }
}

export class TransformStreamDefaultController {
  #readable;
  #end;

  constructor(readable, end) {
    this.#readable = readable;
    this.#end = end;
  }

  get desiredSize() {
    return this.#readable().desiredSize;
  }

  enqueue(chunk) {
    this.#readable().enqueue(chunk);
  }

  error(error) {
    this.#end(error);
  }

  terminate() {
    this.#readable().close();
    this.#end(new TypeError("Invalid state: the transform stream has been terminated"), true);
  }
}

export class TransformStream {
  constructor(transformer = {}, writableStrategy = {}, readableStrategy = {}) {
    const t = transformer ?? {};
    let out;
    // Open while the reader wants more; a writer waits for it.
    let gate = deferred();
    const controller = new TransformStreamDefaultController(
      () => out,
      (error, closed) => {
        if (!closed) fail(this.readable[STATE], error);
        startErroring(this.writable[STATE], error);
        gate.resolve(undefined);
      },
    );
    this.readable = new ReadableStream(
      {
        start: (c) => {
          out = c;
        },
        pull: () => {
          gate.resolve(undefined);
        },
        cancel: async (reason) => {
          startErroring(this.writable[STATE], reason);
          gate.resolve(undefined);
          await t.cancel?.(reason);
        },
      },
      { highWaterMark: highWaterMark(readableStrategy, 0), size: readableStrategy?.size },
    );
    const step = async (run) => {
      try {
        await run();
      } catch (error) {
        fail(this.readable[STATE], error);
        throw error;
      }
    };
    this.writable = new WritableStream(
      {
        start: () => t.start?.(controller),
        write: async (chunk) => {
          if (out.desiredSize <= 0) await gate.promise;
          if (this.writable[STATE].status === "erroring") throw this.writable[STATE].error;
          await step(() => (t.transform ? t.transform(chunk, controller) : out.enqueue(chunk)));
          if (out.desiredSize <= 0 && this.readable[STATE].requests.length === 0) gate = deferred();
        },
        close: async () => {
          await step(() => t.flush?.(controller));
          if (this.readable[STATE].status === "readable" && !this.readable[STATE].closing) out.close();
        },
        abort: async (reason) => {
          fail(this.readable[STATE], reason);
          await t.cancel?.(reason);
        },
      },
      { highWaterMark: highWaterMark(writableStrategy, 1), size: writableStrategy?.size },
    );
  }

  get [Symbol.toStringTag]() {
    return "TransformStream";
  }
}

export class TextEncoderStream extends TransformStream {
  constructor() {
    let high = "";
    super({
      transform(chunk, controller) {
        let text = high + String(chunk);
        high = "";
        // Half of a surrogate pair waits for its other half.
        if (/[\ud800-\udbff]$/.test(text)) {
          high = text.slice(-1);
          text = text.slice(0, -1);
        }
        if (text !== "") controller.enqueue(encodeUtf8(text));
      },
      flush(controller) {
        if (high !== "") controller.enqueue(encodeUtf8("\ufffd"));
      },
    });
  }

  get encoding() {
    return "utf-8";
  }
}

export class TextDecoderStream extends TransformStream {
  constructor(label = "utf-8", options = {}) {
    const decoder = new TextDecoder(label, options);
    super({
      transform(chunk, controller) {
        const text = decoder.decode(chunk, { stream: true });
        if (text !== "") controller.enqueue(text);
      },
      flush(controller) {
        const text = decoder.decode();
        if (text !== "") controller.enqueue(text);
      },
    });
    this.encoding = decoder.encoding;
    this.fatal = decoder.fatal;
    this.ignoreBOM = decoder.ignoreBOM;
  }
}

// Bodies of requests and responses (https://fetch.spec.whatwg.org/#bodies).
//
// A body is null or { text | bytes | host | stream }: what it was made from. A stream is made only when
// someone asks for one, and a body that came from the host goes back to it without one.
import { HostBody, sendBody } from "./host.js";
import { decodeText, encodeUtf8, toBytes } from "./encoding.js";
import { ReadableStream, STATE as STREAM } from "./readable.js";
import { Headers, headersFromLines } from "./headers.js";
import { URLSearchParams } from "./url.js";
import { Blob, FormData, bytesOf, concat, decodeFormData, encodeMultipart } from "./blob.js";

// Where a Request and a Response keep everything. For one that came from the host it is the host's own
// record ({ method, url, fields, body } or { status, fields, body }), so that receiving a request costs
// one object; `headers`, `source` (the body as above), `used` and the rest are added when needed.
export const STATE = Symbol("state");

const TEXT = "text/plain;charset=UTF-8";

// What a program gave as a body, and the content type that goes with it (or null).
export function extractBody(init) {
  if (typeof init === "string") return { source: { text: init }, type: TEXT };
  if (init === null || init === undefined) return { source: null, type: null };
  if (init instanceof ReadableStream) {
    if (init.locked) throw new TypeError("Response body object should not be disturbed or locked");
    return { source: { stream: init }, type: null };
  }
  if (init instanceof URLSearchParams) {
    const type = "application/x-www-form-urlencoded;charset=UTF-8";
    return { source: { text: init.toString() }, type };
  }
  if (init instanceof Blob) return { source: { bytes: bytesOf(init) }, type: init.type || null };
  if (init instanceof FormData) {
    const { bytes, type } = encodeMultipart(init);
    return { source: { bytes }, type };
  }
  if (ArrayBuffer.isView(init) || init instanceof ArrayBuffer) {
    return { source: { bytes: toBytes(init).slice() }, type: null };
  }
  if (typeof init === "object" && init[Symbol.asyncIterator]) {
    return { source: { stream: ReadableStream.from(init) }, type: null };
  }
  return { source: { text: String(init) }, type: TEXT };
}

// Gives a new message its headers and body.
export function fill(state, headers, body) {
  const { source, type } = extractBody(body);
  state.source = source;
  if (headers === undefined || headers === null) {
    state.fields = type === null ? "" : `content-type: ${type}\n`;
    return;
  }
  state.headers = new Headers(headers);
  if (type !== null && !state.headers.has("content-type")) state.headers.set("content-type", type);
}

// The body of a message, made from what the host sent when it is first needed.
export function bodyOf(message) {
  const state = message[STATE];
  if (state.source === undefined) state.source = hostBody(state.body);
  return state.source;
}

function hostBody(body) {
  switch (body.tag) {
    case "chunks":
      return { host: new HostBody(body.val) };
    case "bytes":
      return { bytes: body.val };
    case "text":
      return { text: body.val };
    default:
      return null;
  }
}

function streamOf(body) {
  if (body.stream) return body.stream;
  const { host } = body;
  if (host) {
    body.stream = new ReadableStream(
      {
        type: "bytes",
        async pull(controller) {
          const piece = await host.read();
          if (piece === null) controller.close();
          else controller.enqueue(piece);
        },
        cancel: () => host.drop(),
      },
      { highWaterMark: 0 },
    );
  } else {
    const bytes = body.bytes ?? encodeUtf8(body.text);
    body.stream = new Blob([bytes]).stream();
  }
  return body.stream;
}

async function allBytes(body) {
  if (body.bytes && !body.stream) return body.bytes;
  if (body.text !== undefined && !body.stream) return encodeUtf8(body.text);
  const pieces = [];
  if (body.host && !body.stream) {
    for (let p = await body.host.read(); p !== null; p = await body.host.read()) pieces.push(p);
  } else {
    const reader = body.stream.getReader();
    for (let r = await reader.read(); !r.done; r = await reader.read()) {
      if (!(r.value instanceof Uint8Array)) throw new TypeError("Received non-Uint8Array chunk");
      pieces.push(r.value);
    }
  }
  return pieces.length === 0 ? new Uint8Array(0) : concat(pieces);
}

const EMPTY = { body: { tag: "empty" }, done: null };

// The body for the host, and a promise of its end when it is still to be sent.
export function outgoing(message) {
  const body = bodyOf(message);
  if (body === null) return EMPTY;
  const { text, bytes, host } = body;
  if (bodyUsed(message)) throw new TypeError("Body is unusable: Body has already been read");
  message[STATE].used = true;
  if (!body.stream) {
    if (text !== undefined) return { body: { tag: "text", val: text.toWellFormed() }, done: null };
    if (bytes) return { body: { tag: "bytes", val: bytes }, done: null };
    const sent = sendBody(() => host.read(), () => host.drop());
    return { body: { tag: "chunks", val: sent.chunks }, done: sent.done };
  }
  const reader = body.stream.getReader();
  const next = async () => {
    const { value, done } = await reader.read();
    if (done) return null;
    return typeof value === "string" ? encodeUtf8(value) : toBytes(value);
  };
  const sent = sendBody(next, (error) => reader.cancel(error).catch(() => {}));
  return { body: { tag: "chunks", val: sent.chunks }, done: sent.done };
}

// Lets go of a body that nobody read.
export function discard(message) {
  const { source, body } = message[STATE];
  if (source) source.host?.drop();
  else if (source === undefined && body.tag === "chunks") body.val.bytes.drop();
}

export function bodyUsed(message) {
  const state = message[STATE];
  const stream = state.source?.stream;
  return state.used === true || (stream !== undefined && stream[STREAM].disturbed);
}

export function headersOf(message) {
  const state = message[STATE];
  return (state.headers ??= headersFromLines(state.fields));
}

async function consume(message) {
  const body = bodyOf(message);
  if (bodyUsed(message) || body?.stream?.locked) {
    throw new TypeError("Body is unusable: Body has already been read");
  }
  if (body === null) return new Uint8Array(0);
  message[STATE].used = true;
  return allBytes(body);
}

export class Message {
  get headers() {
    return headersOf(this);
  }

  get body() {
    const body = bodyOf(this);
    return body === null ? null : streamOf(body);
  }

  get bodyUsed() {
    return bodyUsed(this);
  }

  async text() {
    const body = bodyOf(this);
    if (body && body.text !== undefined && !body.stream && !this[STATE].used) {
      this[STATE].used = true;
      return body.text.toWellFormed().replace(/^\ufeff/, "");
    }
    return decodeText(await consume(this));
  }

  async json() {
    return JSON.parse(await this.text());
  }

  async arrayBuffer() {
    const bytes = await consume(this);
    return bytes.slice().buffer;
  }

  async bytes() {
    return (await consume(this)).slice();
  }

  async blob() {
    const type = headersOf(this).get("content-type") ?? "";
    return new Blob([await consume(this)], { type });
  }

  async formData() {
    const type = headersOf(this).get("content-type") ?? "";
    return decodeFormData(await consume(this), type);
  }
}

export function cloneBody(message) {
  const body = bodyOf(message);
  if (bodyUsed(message) || body?.stream?.locked) {
    throw new TypeError("Response.clone: Body has already been consumed.");
  }
  if (body === null) return null;
  if (!body.stream && !body.host) return { ...body };
  const [mine, other] = streamOf(body).tee();
  message[STATE].source = { stream: mine };
  return { stream: other };
}

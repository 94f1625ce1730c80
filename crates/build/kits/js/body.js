// Bodies of requests and responses (https://fetch.spec.whatwg.org/#bodies).
//
// A body is null or { text | bytes | host | stream }: what it was made from. A stream is made only when
// someone asks for one, and a body that came from the host goes back to it without one.
import { HostBody, sendBody } from "./host.js";
import { decodeText, encodeUtf8, toBytes } from "./encoding.js";
import { ReadableStream, STATE } from "./readable.js";
import { URLSearchParams } from "./url.js";
import { Blob, FormData, bytesOf, concat, decodeFormData, encodeMultipart } from "./blob.js";

export const BODY = Symbol("body");

export function extractBody(init, headers) {
  if (init === null || init === undefined) return null;
  let type = null;
  let body;
  if (typeof init === "string") {
    body = { text: init };
    type = "text/plain;charset=UTF-8";
  } else if (init instanceof ReadableStream) {
    if (init.locked) throw new TypeError("Response body object should not be disturbed or locked");
    body = { stream: init };
  } else if (init instanceof URLSearchParams) {
    body = { text: init.toString() };
    type = "application/x-www-form-urlencoded;charset=UTF-8";
  } else if (init instanceof Blob) {
    body = { bytes: bytesOf(init) };
    type = init.type || null;
  } else if (init instanceof FormData) {
    const form = encodeMultipart(init);
    body = { bytes: form.bytes };
    type = form.type;
  } else if (ArrayBuffer.isView(init) || init instanceof ArrayBuffer) {
    body = { bytes: toBytes(init).slice() };
  } else if (typeof init === "object" && init[Symbol.asyncIterator]) {
    body = { stream: ReadableStream.from(init) };
  } else {
    body = { text: String(init) };
    type = "text/plain;charset=UTF-8";
  }
  if (type !== null && !headers.has("content-type")) headers.set("content-type", type);
  return body;
}

// The body that the host sent with a request or response.
export function hostBody(body) {
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

// The record for the host, and a promise of the body's end when it is still to be sent.
export function outgoing(message) {
  const body = message[BODY];
  if (body === null) return { body: { tag: "empty" }, done: null };
  if (message.bodyUsed) throw new TypeError("Body is unusable: Body has already been read");
  message._used = true;
  if (!body.stream) {
    if (body.text !== undefined) return { body: { tag: "text", val: body.text.toWellFormed() }, done: null };
    if (body.bytes) return { body: { tag: "bytes", val: body.bytes }, done: null };
    const { host } = body;
    const sent = sendBody(() => host.read(), () => host.drop());
    return { body: { tag: "chunks", val: sent.chunks }, done: sent.done };
  }
  const reader = body.stream.getReader();
  const next = async () => {
    const { value, done } = await reader.read();
    if (done) return null;
    if (typeof value === "string") return encodeUtf8(value);
    return toBytes(value);
  };
  const sent = sendBody(next, (error) => reader.cancel(error).catch(() => {}));
  return { body: { tag: "chunks", val: sent.chunks }, done: sent.done };
}

// Lets go of a body that nobody read.
export function discard(message) {
  message[BODY]?.host?.drop();
}

export class Message {
  [BODY] = null;
  _headers = null;
  _used = false;

  get headers() {
    return this._headers;
  }

  get body() {
    return this[BODY] === null ? null : streamOf(this[BODY]);
  }

  get bodyUsed() {
    if (this._used) return true;
    const stream = this[BODY]?.stream;
    return stream !== undefined && stream[STATE].disturbed;
  }

  async #consume() {
    const body = this[BODY];
    if (this.bodyUsed || body?.stream?.locked) {
      throw new TypeError("Body is unusable: Body has already been read");
    }
    if (body === null) return new Uint8Array(0);
    this._used = true;
    return allBytes(body);
  }

  async text() {
    const body = this[BODY];
    if (body && body.text !== undefined && !body.stream && !this._used) {
      this._used = true;
      return body.text.toWellFormed().replace(/^\ufeff/, "");
    }
    return decodeText(await this.#consume());
  }

  async json() {
    return JSON.parse(await this.text());
  }

  async arrayBuffer() {
    const bytes = await this.#consume();
    return bytes.slice().buffer;
  }

  async bytes() {
    return (await this.#consume()).slice();
  }

  async blob() {
    const type = this._headers.get("content-type") ?? "";
    return new Blob([await this.#consume()], { type });
  }

  async formData() {
    const type = this._headers.get("content-type") ?? "";
    return decodeFormData(await this.#consume(), type);
  }
}

export function cloneBody(message) {
  const body = message[BODY];
  if (message.bodyUsed || body?.stream?.locked) {
    throw new TypeError("Response.clone: Body has already been consumed.");
  }
  if (body === null) return null;
  if (!body.stream && !body.host) return { ...body };
  const [mine, other] = streamOf(body).tee();
  message[BODY] = { stream: mine };
  return { stream: other };
}

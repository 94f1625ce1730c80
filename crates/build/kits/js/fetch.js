// Request, Response and fetch (https://fetch.spec.whatwg.org/, section 5).
import { BODY, Message, cloneBody, discard, extractBody, hostBody, outgoing } from "./body.js";
import { cancel, operation, platform, requireHost } from "./host.js";
import { AbortController } from "./events.js";
import { Headers, headersFromLines, headersToLines } from "./headers.js";
import { ReadableStream } from "./readable.js";
import { URL } from "./url.js";

// --- Request ---

const METHODS = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);
const FORBIDDEN = new Set(["CONNECT", "TRACE", "TRACK"]);
const INCOMING = Symbol("incoming");

function normalMethod(method) {
  const text = String(method);
  if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(text)) {
    throw new TypeError(`'${text}' is not a valid HTTP method.`);
  }
  const upper = text.toUpperCase();
  if (FORBIDDEN.has(upper)) throw new TypeError(`'${text}' HTTP method is unsupported.`);
  return METHODS.has(upper) ? upper : text;
}

export class Request extends Message {
  #method = "GET";
  #url = "";
  #signal = null;
  #redirect = "follow";

  constructor(input, init = {}) {
    super();
    if (input === INCOMING) {
      this.#method = init.method;
      this.#url = init.url;
      this._headers = headersFromLines(init.fields);
      this[BODY] = hostBody(init.body);
      return;
    }
    const settings = init ?? {};
    const from = input instanceof Request ? input : null;
    this.#url = from ? from.#url : new URL(String(input)).href;
    this.#method = normalMethod(settings.method ?? from?.#method ?? "GET");
    this.#redirect = settings.redirect ?? from?.#redirect ?? "follow";
    this.#signal = settings.signal ?? from?.#signal ?? null;
    this._headers = new Headers(settings.headers ?? from?._headers);
    const given = settings.body !== undefined && settings.body !== null;
    if ((given || (from && from[BODY] !== null)) && /^(GET|HEAD)$/.test(this.#method)) {
      throw new TypeError("Request with GET/HEAD method cannot have body.");
    }
    if (given) {
      if (settings.body instanceof ReadableStream && settings.duplex === undefined) {
        throw new TypeError("RequestInit: duplex option is required when sending a body.");
      }
      this[BODY] = extractBody(settings.body, this._headers);
    } else if (from && from[BODY] !== null && settings.body !== null) {
      if (from.bodyUsed) throw new TypeError("Cannot construct a Request with a Request object that has already been used.");
      this[BODY] = from[BODY];
      from._used = true;
    }
  }

  get method() {
    return this.#method;
  }

  get url() {
    return this.#url;
  }

  get redirect() {
    return this.#redirect;
  }

  get signal() {
    return (this.#signal ??= new AbortController().signal);
  }

  get duplex() {
    return "half";
  }

  clone() {
    const copy = new Request(this.#url, {
      method: this.#method, headers: this._headers, redirect: this.#redirect, signal: this.#signal,
    });
    copy[BODY] = cloneBody(this);
    return copy;
  }

  get [Symbol.toStringTag]() {
    return "Request";
  }
}

export function incomingRequest(record) {
  return new Request(INCOMING, record);
}

// --- Response ---

const NULL_BODY = new Set([101, 204, 205, 304]);
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export class Response extends Message {
  #status = 200;
  #statusText = "";
  #type = "default";
  #url = "";
  #redirected = false;

  constructor(body = null, init = {}) {
    super();
    if (body === INCOMING) {
      this.#status = init.status;
      this.#type = "basic";
      this.#url = init.url;
      this.#redirected = init.redirected;
      this._headers = headersFromLines(init.fields);
      this[BODY] = hostBody(init.body);
      return;
    }
    const status = init?.status === undefined ? 200 : Math.trunc(Number(init.status));
    if (!(status >= 200 && status <= 599)) {
      throw new RangeError('init["status"] must be in the range of 200 to 599, inclusive.');
    }
    this.#status = status;
    this.#statusText = init?.statusText === undefined ? "" : String(init.statusText);
    this._headers = new Headers(init?.headers ?? undefined);
    if (body !== null && body !== undefined && NULL_BODY.has(status)) {
      throw new TypeError(`Response constructor: Invalid response status code ${status}`);
    }
    this[BODY] = extractBody(body, this._headers);
  }

  static json(data, init = {}) {
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError("Value is not JSON serializable");
    const response = new Response(null, init);
    response[BODY] = { text };
    if (!response._headers.has("content-type")) {
      response._headers.set("content-type", "application/json");
    }
    return response;
  }

  static redirect(url, status = 302) {
    if (!REDIRECTS.has(status)) throw new RangeError(`Invalid status code ${status}`);
    return new Response(null, { status, headers: { location: new URL(String(url)).href } });
  }

  static error() {
    const response = new Response();
    response.#type = "error";
    response.#status = 0;
    return response;
  }

  get status() {
    return this.#status;
  }

  get statusText() {
    return this.#statusText;
  }

  get ok() {
    return this.#status >= 200 && this.#status <= 299;
  }

  get type() {
    return this.#type;
  }

  get url() {
    return this.#url;
  }

  get redirected() {
    return this.#redirected;
  }

  clone() {
    const body = cloneBody(this);
    const copy = new Response(null, { headers: this._headers, statusText: this.#statusText });
    copy.#status = this.#status;
    copy.#type = this.#type;
    copy.#url = this.#url;
    copy.#redirected = this.#redirected;
    copy[BODY] = body;
    return copy;
  }

  get [Symbol.toStringTag]() {
    return "Response";
  }
}

// The record of a response for the host.
export function outgoingResponse(response) {
  const { body, done } = outgoing(response);
  return { record: { status: response.status, fields: headersToLines(response.headers), body }, done };
}

// --- fetch ---

const MAX_REDIRECTS = 20;

export async function fetch(input, init = {}) {
  requireHost("fetch");
  let request = new Request(input, init);
  const signal = init?.signal ?? (input instanceof Request ? input.signal : null);
  for (let hops = 0; ; hops++) {
    signal?.throwIfAborted();
    const response = await send(request, signal, hops > 0);
    const location = REDIRECTS.has(response.status) ? response.headers.get("location") : null;
    if (location === null || request.redirect === "manual") return response;
    discard(response);
    if (request.redirect === "error") throw new TypeError("fetch failed: unexpected redirect");
    if (hops >= MAX_REDIRECTS) throw new TypeError("fetch failed: redirect count exceeded");
    request = redirected(request, response.status, location);
  }
}

async function send(request, signal, wasRedirected) {
  const at = request.url.indexOf("#");
  const url = at < 0 ? request.url : request.url.slice(0, at);
  const { body } = outgoing(request);
  const record = {
    method: request.method,
    url,
    fields: headersToLines(request.headers),
    body,
  };
  const answer = await operation(async (id) => {
    const onAbort = () => cancel(id);
    signal?.addEventListener("abort", onAbort, { once: true });
    try {
      return await platform.fetch(id, record).read();
    } finally {
      signal?.removeEventListener("abort", onAbort);
    }
  });
  if (answer.tag === "err") {
    signal?.throwIfAborted();
    throw new TypeError("fetch failed", { cause: new Error(answer.val) });
  }
  const response = new Response(INCOMING, { ...answer.val, url, redirected: wasRedirected });
  const host = response[BODY]?.host;
  if (host) signal?.addEventListener("abort", () => host.fail(signal.reason), { once: true });
  return response;
}

// The request that follows a redirect; a body that was streamed cannot be sent again.
function redirected(request, status, location) {
  const target = new URL(location, request.url);
  if (!/^https?:$/.test(target.protocol)) throw new TypeError("fetch failed: invalid redirect");
  const { method } = request;
  const toGet = (status === 303 && !/^(GET|HEAD)$/.test(method)) ||
    ((status === 301 || status === 302) && method === "POST");
  const headers = new Headers(request.headers);
  if (target.origin !== new URL(request.url).origin) {
    for (const name of ["authorization", "cookie", "host", "proxy-authorization"]) headers.delete(name);
  }
  const body = request[BODY];
  if (toGet || body === null) {
    for (const name of ["content-length", "content-type"]) if (toGet) headers.delete(name);
    return new Request(target.href, { method: toGet ? "GET" : method, headers });
  }
  if (body.stream || body.host) throw new TypeError("fetch failed: a streamed body cannot be sent twice");
  const next = new Request(target.href, { method, headers });
  next[BODY] = body;
  return next;
}

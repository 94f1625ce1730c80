// Request, Response and fetch (https://fetch.spec.whatwg.org/, section 5).
import { Message, STATE, bodyOf, bodyUsed, cloneBody, discard, fill, headersOf, outgoing } from "./body.js";
import { cancel, operation, platform, requireHost } from "./host.js";
import { AbortController } from "./events.js";
import { Headers, headersToLines } from "./headers.js";
import { ReadableStream } from "./readable.js";
import { URL } from "./url.js";

// --- Request ---

const METHODS = new Set(["DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT"]);
const FORBIDDEN = new Set(["CONNECT", "TRACE", "TRACK"]);

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
  constructor(input, init) {
    super();
    const settings = init ?? {};
    const from = input instanceof Request ? input[STATE] : null;
    const state = {
      method: normalMethod(settings.method ?? from?.method ?? "GET"),
      url: from ? from.url : new URL(String(input)).href,
      redirect: settings.redirect ?? from?.redirect ?? "follow",
      signal: settings.signal ?? from?.signal ?? null,
    };
    this[STATE] = state;
    const given = settings.body !== undefined && settings.body !== null;
    const taken = !given && settings.body !== null && from !== null && bodyOf(input) !== null;
    if ((given || taken) && /^(GET|HEAD)$/.test(state.method)) {
      throw new TypeError("Request with GET/HEAD method cannot have body.");
    }
    if (given && settings.body instanceof ReadableStream && settings.duplex === undefined) {
      throw new TypeError("RequestInit: duplex option is required when sending a body.");
    }
    fill(state, settings.headers ?? (from ? headersOf(input) : undefined), given ? settings.body : null);
    if (taken) {
      if (bodyUsed(input)) {
        throw new TypeError("Cannot construct a Request with a Request object that has already been used.");
      }
      state.source = bodyOf(input);
      from.used = true;
    }
  }

  get method() {
    return this[STATE].method;
  }

  get url() {
    return this[STATE].url;
  }

  get redirect() {
    return this[STATE].redirect ?? "follow";
  }

  get signal() {
    return (this[STATE].signal ??= new AbortController().signal);
  }

  get duplex() {
    return "half";
  }

  clone() {
    const source = cloneBody(this);
    return make(Request, { ...this[STATE], headers: new Headers(headersOf(this)), source });
  }

  get [Symbol.toStringTag]() {
    return "Request";
  }
}

// A Request or Response around a state, without the checks for what programs give.
function make(Type, state) {
  const message = Object.create(Type.prototype);
  message[STATE] = state;
  return message;
}

export function incomingRequest(record) {
  return make(Request, record);
}

// --- Response ---

const NULL_BODY = new Set([101, 204, 205, 304]);
const REDIRECTS = new Set([301, 302, 303, 307, 308]);

export class Response extends Message {
  constructor(body, init) {
    super();
    const state = { status: 200, source: null, fields: "" };
    this[STATE] = state;
    if (init !== undefined && init !== null) {
      if (init.status !== undefined) state.status = Math.trunc(Number(init.status));
      if (init.statusText !== undefined) state.statusText = String(init.statusText);
      if (!(state.status >= 200 && state.status <= 599)) {
        throw new RangeError('init["status"] must be in the range of 200 to 599, inclusive.');
      }
      if (body !== null && body !== undefined && NULL_BODY.has(state.status)) {
        throw new TypeError(`Response constructor: Invalid response status code ${state.status}`);
      }
    }
    fill(state, init?.headers, body);
  }

  static json(data, init) {
    const text = JSON.stringify(data);
    if (text === undefined) throw new TypeError("Value is not JSON serializable");
    const response = new Response(null, init);
    const state = response[STATE];
    state.source = { text };
    if (!state.headers) state.fields = "content-type: application/json\n";
    else if (!state.headers.has("content-type")) state.headers.set("content-type", "application/json");
    return response;
  }

  static redirect(url, status = 302) {
    if (!REDIRECTS.has(status)) throw new RangeError(`Invalid status code ${status}`);
    return new Response(null, { status, headers: { location: new URL(String(url)).href } });
  }

  static error() {
    return make(Response, { status: 0, type: "error", source: null, fields: "" });
  }

  get status() {
    return this[STATE].status;
  }

  get statusText() {
    return this[STATE].statusText ?? "";
  }

  get ok() {
    const { status } = this[STATE];
    return status >= 200 && status <= 299;
  }

  get type() {
    return this[STATE].type ?? "default";
  }

  get url() {
    return this[STATE].url ?? "";
  }

  get redirected() {
    return this[STATE].redirected ?? false;
  }

  clone() {
    const source = cloneBody(this);
    return make(Response, { ...this[STATE], headers: new Headers(headersOf(this)), source });
  }

  get [Symbol.toStringTag]() {
    return "Response";
  }
}

// The record of a response for the host, and a promise of its body's end when there is one to wait for.
export function outgoingResponse(response) {
  const { status, headers, fields } = response[STATE];
  const { body, done } = outgoing(response);
  return { record: { status, fields: headers ? headersToLines(headers) : fields, body }, done };
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
    fields: headersToLines(headersOf(request)),
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
  const state = { ...answer.val, type: "basic", url, redirected: wasRedirected };
  const response = make(Response, state);
  const host = signal ? bodyOf(response)?.host : null;
  if (host) signal.addEventListener("abort", () => host.fail(signal.reason), { once: true });
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
  const body = bodyOf(request);
  if (toGet || body === null) {
    for (const name of ["content-length", "content-type"]) if (toGet) headers.delete(name);
    return new Request(target.href, { method: toGet ? "GET" : method, headers });
  }
  if (body.stream || body.host) throw new TypeError("fetch failed: a streamed body cannot be sent twice");
  const next = new Request(target.href, { method, headers });
  next[STATE].source = body;
  return next;
}

// URL and URLSearchParams (https://url.spec.whatwg.org/).
//
// The host parses, because a URL has many rules and tables. What is plainly in normal form already, as
// nearly every URL is, needs no parsing beyond one pattern.
import { life, native } from "./host.js";
import { decodeUtf8, encodeUtf8 } from "./encoding.js";

const PLAIN =
  /^(https?:)\/\/([a-z](?:[a-z0-9.-]*[a-z0-9])?|\d{1,3}(?:\.\d{1,3}){3})(?::([1-9]\d{0,4}))?(\/[\w\-.~!$&()*+,;=:@/]*)(\?[\w\-.~!$&()*+,;=:@/?%]*)?(#[\w\-.~!$&()*+,;=:@/?%]*)?$/;
const DEFAULT_PORT = { "http:": "80", "https:": "443" };

function plain(input) {
  const match = PLAIN.exec(input);
  if (!match) return null;
  const [href, protocol, hostname, port = "", pathname, search = "", hash = ""] = match;
  if (port !== "" && (port === DEFAULT_PORT[protocol] || Number(port) > 65535)) return null;
  if (pathname.includes("/.") || hostname.includes("xn--") || hostname.includes("..")) return null;
  const numeric = /(?:^|\.)\d[^.]*$/.test(hostname);
  if (numeric && !hostname.split(".").every((part) => String(Number(part)) === part && part < 256)) {
    return null;
  }
  if (search === "?" || hash === "#") return null;
  const host = port === "" ? hostname : `${hostname}:${port}`;
  const origin = `${protocol}//${host}`;
  return {
    href, origin, protocol, username: "", password: "", host, hostname, port, pathname, search, hash,
  };
}

function parse(input, base) {
  const easy = base === undefined ? plain(input) : null;
  if (easy) return easy;
  if (life.loading) {
    throw new Error(`the URL ${input} can only be parsed in the handler, not while the module loads`);
  }
  return native.urlParse(input.toWellFormed(), base === undefined ? null : base.toWellFormed());
}

function invalid(input, base) {
  const error = new TypeError("Invalid URL");
  error.code = "ERR_INVALID_URL";
  error.input = input;
  if (base !== undefined) error.base = base;
  return error;
}

export class URL {
  #parts;
  #params = null;

  constructor(input, base) {
    if (arguments.length === 0) throw new TypeError('The "url" argument must be specified');
    const text = String(input);
    const root = base === undefined ? undefined : String(base);
    const parts = parse(text, root);
    if (!parts) throw invalid(text, root);
    this.#parts = parts;
  }

  static canParse(input, base) {
    return Boolean(parse(String(input), base === undefined ? undefined : String(base)));
  }

  #set(property, value) {
    const parts = native.urlSet(this.#parts.href, property, String(value).toWellFormed());
    if (parts) this.#parts = parts;
    if (property === "search" && this.#params) this.#params._read(this.#parts.search);
  }

  get href() {
    return this.#parts.href;
  }

  set href(value) {
    const parts = parse(String(value));
    if (!parts) throw invalid(String(value));
    this.#parts = parts;
    this.#params?._read(parts.search);
  }

  get origin() {
    return this.#parts.origin;
  }

  get searchParams() {
    if (this.#params === null) {
      this.#params = new URLSearchParams(this.#parts.search);
      this.#params._changed = (text) => {
        const parts = native.urlSet(this.#parts.href, "search", text);
        if (parts) this.#parts = parts;
      };
    }
    return this.#params;
  }

  toString() {
    return this.#parts.href;
  }

  toJSON() {
    return this.#parts.href;
  }

  static {
    const names = "protocol username password host hostname port pathname search hash";
    for (const name of names.split(" ")) {
      Object.defineProperty(URL.prototype, name, {
        configurable: true,
        enumerable: true,
        get() {
          return this.#parts[name];
        },
        set(value) {
          this.#set(name, value);
        },
      });
    }
  }

  get [Symbol.toStringTag]() {
    return "URL";
  }
}

// --- application/x-www-form-urlencoded (section 5) ---

export function decodeForm(text) {
  if (!text.includes("%") && !text.includes("+")) return text;
  const spaced = text.replaceAll("+", " ");
  if (!spaced.includes("%")) return spaced;
  const source = encodeUtf8(spaced);
  const bytes = new Uint8Array(source.length);
  let length = 0;
  for (let i = 0; i < source.length; i++) {
    const digits = source[i] === 37 ? String.fromCharCode(source[i + 1], source[i + 2]) : "";
    const escape = /^[0-9A-Fa-f]{2}$/.test(digits);
    bytes[length++] = escape ? parseInt(digits, 16) : source[i];
    if (escape) i += 2;
  }
  return decodeUtf8(bytes.subarray(0, length));
}

export function encodeForm(text) {
  return encodeURIComponent(text.toWellFormed())
    .replace(/[!'()~]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`)
    .replaceAll("%20", "+");
}

export function parseForm(text) {
  const pairs = [];
  for (const piece of text.split("&")) {
    if (piece === "") continue;
    const at = piece.indexOf("=");
    const name = at < 0 ? piece : piece.slice(0, at);
    pairs.push([decodeForm(name), at < 0 ? "" : decodeForm(piece.slice(at + 1))]);
  }
  return pairs;
}

export class URLSearchParams {
  #pairs = [];
  _changed = null;

  constructor(init = "") {
    Object.defineProperty(this, "_changed", { enumerable: false });
    if (init !== null && typeof init === "object") {
      if (typeof init[Symbol.iterator] === "function") {
        for (const pair of init) {
          const [name, value, ...rest] = pair;
          if (value === undefined || rest.length > 0) {
            const error = new TypeError("Each query pair must be an iterable [name, value] tuple");
            error.code = "ERR_INVALID_TUPLE";
            throw error;
          }
          this.#pairs.push([String(name).toWellFormed(), String(value).toWellFormed()]);
        }
      } else {
        for (const name of Object.keys(init)) {
          this.#pairs.push([name.toWellFormed(), String(init[name]).toWellFormed()]);
        }
      }
    } else {
      this._read(String(init));
    }
  }

  // Takes the pairs of a URL's query; not for programs.
  _read(text) {
    this.#pairs = parseForm(text.startsWith("?") ? text.slice(1) : text);
  }

  #tell() {
    this._changed?.(this.toString());
  }

  get size() {
    return this.#pairs.length;
  }

  append(name, value) {
    this.#pairs.push([String(name).toWellFormed(), String(value).toWellFormed()]);
    this.#tell();
  }

  delete(name, value) {
    const text = value === undefined ? undefined : String(value);
    this.#pairs = this.#pairs.filter(
      ([key, held]) => key !== String(name) || (text !== undefined && held !== text),
    );
    this.#tell();
  }

  get(name) {
    const pair = this.#pairs.find(([key]) => key === String(name));
    return pair ? pair[1] : null;
  }

  getAll(name) {
    return this.#pairs.filter(([key]) => key === String(name)).map(([, value]) => value);
  }

  has(name, value) {
    return this.#pairs.some(
      ([key, held]) => key === String(name) && (value === undefined || held === String(value)),
    );
  }

  set(name, value) {
    const key = String(name).toWellFormed();
    const text = String(value).toWellFormed();
    const at = this.#pairs.findIndex((pair) => pair[0] === key);
    if (at < 0) this.#pairs.push([key, text]);
    else {
      this.#pairs[at][1] = text;
      this.#pairs = this.#pairs.filter((pair, i) => i <= at || pair[0] !== key);
    }
    this.#tell();
  }

  sort() {
    this.#pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
    this.#tell();
  }

  forEach(callback, self) {
    for (const [name, value] of this.#pairs) callback.call(self, value, name, this);
  }

  *entries() {
    for (const [name, value] of this.#pairs) yield [name, value];
  }

  *keys() {
    for (const [name] of this.#pairs) yield name;
  }

  *values() {
    for (const [, value] of this.#pairs) yield value;
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  toString() {
    return this.#pairs.map(([k, v]) => `${encodeForm(k)}=${encodeForm(v)}`).join("&");
  }

  get [Symbol.toStringTag]() {
    return "URLSearchParams";
  }
}

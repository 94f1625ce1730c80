// Blob and File (https://w3c.github.io/FileAPI/), and FormData with its two encodings
// (https://xhr.spec.whatwg.org/#interface-formdata, RFC 7578).
import { decodeText, decodeUtf8, encodeUtf8, toBytes } from "./encoding.js";
import { ReadableStream } from "./readable.js";
import { parseForm } from "./url.js";

const PIECE = 65536;

export function concat(parts) {
  if (parts.length === 1) return parts[0];
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export class Blob {
  #bytes;
  #type;

  constructor(parts = [], options = {}) {
    if (parts === null || typeof parts !== "object" || !parts[Symbol.iterator]) {
      throw new TypeError('The "sources" argument must be a sequence');
    }
    const pieces = [];
    for (const part of parts) {
      if (part instanceof Blob) pieces.push(part.#bytes);
      else if (ArrayBuffer.isView(part) || part instanceof ArrayBuffer) pieces.push(toBytes(part));
      else pieces.push(encodeUtf8(String(part)));
    }
    this.#bytes = pieces.length === 0 ? new Uint8Array(0) : concat(pieces).slice();
    const type = String(options?.type ?? "");
    this.#type = /[^\x20-\x7e]/.test(type) ? "" : type.toLowerCase();
  }

  get size() {
    return this.#bytes.length;
  }

  get type() {
    return this.#type;
  }

  slice(start = 0, end = this.size, type = "") {
    return new Blob([this.#bytes.slice(start, end)], { type });
  }

  async arrayBuffer() {
    return this.#bytes.slice().buffer;
  }

  async bytes() {
    return this.#bytes.slice();
  }

  async text() {
    return decodeText(this.#bytes);
  }

  stream() {
    const bytes = this.#bytes;
    let at = 0;
    return new ReadableStream({
      type: "bytes",
      pull(controller) {
        if (at < bytes.length) controller.enqueue(bytes.slice(at, (at += PIECE)));
        if (at >= bytes.length) controller.close();
      },
    });
  }

  // Its bytes without a copy, for the prelude alone.
  static _bytes(blob) {
    return blob.#bytes;
  }

  get [Symbol.toStringTag]() {
    return "Blob";
  }
}

export const bytesOf = Blob._bytes;
delete Blob._bytes;

export class File extends Blob {
  constructor(parts, name, options = {}) {
    if (arguments.length < 2) throw new TypeError('The "fileName" argument must be specified');
    super(parts, options);
    Object.defineProperty(this, "name", { value: String(name), enumerable: true });
    const modified = options?.lastModified ?? Date.now();
    Object.defineProperty(this, "lastModified", { value: Number(modified), enumerable: true });
  }

  get [Symbol.toStringTag]() {
    return "File";
  }
}

export class FormData {
  #entries = [];

  constructor(form) {
    if (form !== undefined) throw new TypeError("FormData takes no form outside a browser");
  }

  #entry(name, value, filename) {
    if (!(value instanceof Blob)) return [String(name), String(value)];
    const plain = filename === undefined && value instanceof File;
    const label = filename ?? "blob";
    const file = plain ? value : new File([value], label, { type: value.type });
    return [String(name), file];
  }

  append(name, value, filename) {
    this.#entries.push(this.#entry(name, value, filename));
  }

  set(name, value, filename) {
    const entry = this.#entry(name, value, filename);
    const at = this.#entries.findIndex(([key]) => key === entry[0]);
    if (at < 0) this.#entries.push(entry);
    else {
      this.#entries[at] = entry;
      this.#entries = this.#entries.filter(([key], i) => i <= at || key !== entry[0]);
    }
  }

  delete(name) {
    this.#entries = this.#entries.filter(([key]) => key !== String(name));
  }

  get(name) {
    const entry = this.#entries.find(([key]) => key === String(name));
    return entry ? entry[1] : null;
  }

  getAll(name) {
    return this.#entries.filter(([key]) => key === String(name)).map(([, value]) => value);
  }

  has(name) {
    return this.#entries.some(([key]) => key === String(name));
  }

  forEach(callback, self) {
    for (const [name, value] of this.#entries) callback.call(self, value, name, this);
  }

  *entries() {
    for (const [name, value] of this.#entries) yield [name, value];
  }

  *keys() {
    for (const [name] of this.#entries) yield name;
  }

  *values() {
    for (const [, value] of this.#entries) yield value;
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  get [Symbol.toStringTag]() {
    return "FormData";
  }
}

// --- multipart/form-data ---

function quote(text) {
  return text.replace(/\r\n?|\n/g, "%0D%0A").replaceAll('"', "%22");
}

// The bytes of a form and the content type that names its boundary.
export function encodeMultipart(form) {
  const digits = Array.from({ length: 12 }, () => Math.floor(Math.random() * 10)).join("");
  const boundary = `----formdata-alula-0${digits}`;
  const parts = [];
  for (const [name, value] of form) {
    let head = `--${boundary}\r\nContent-Disposition: form-data; name="${quote(name)}"`;
    if (typeof value === "string") {
      parts.push(encodeUtf8(`${head}\r\n\r\n${value.replace(/\r\n?|\n/g, "\r\n")}\r\n`));
      continue;
    }
    head += `; filename="${quote(value.name)}"\r\n`;
    head += `Content-Type: ${value.type || "application/octet-stream"}\r\n\r\n`;
    parts.push(encodeUtf8(head), bytesOf(value), encodeUtf8("\r\n"));
  }
  parts.push(encodeUtf8(`--${boundary}--\r\n`));
  return { bytes: concat(parts), type: `multipart/form-data; boundary=${boundary}` };
}

function find(bytes, wanted, from) {
  const last = bytes.length - wanted.length;
  for (let i = bytes.indexOf(wanted[0], from); i >= 0 && i <= last; i = bytes.indexOf(wanted[0], i + 1)) {
    let n = 1;
    while (n < wanted.length && bytes[i + n] === wanted[n]) n++;
    if (n === wanted.length) return i;
  }
  return -1;
}

function parameter(line, name) {
  const match = new RegExp(`[;\\s]${name}="([^"]*)"`, "i").exec(line);
  return match ? match[1].replaceAll("%22", '"').replaceAll("%0D%0A", "\r\n") : null;
}

function decodeMultipart(bytes, boundary) {
  const form = new FormData();
  const bar = encodeUtf8(`--${boundary}`);
  const gap = encodeUtf8("\r\n\r\n");
  const end = encodeUtf8(`\r\n--${boundary}`);
  let at = find(bytes, bar, 0);
  for (;;) {
    if (at < 0) throw new TypeError("Failed to parse body as FormData.");
    at += bar.length;
    if (bytes[at] === 45 && bytes[at + 1] === 45) return form;
    const blank = find(bytes, gap, at);
    const stop = blank < 0 ? -1 : find(bytes, end, blank + 2);
    if (stop < 0) throw new TypeError("Failed to parse body as FormData.");
    const head = decodeUtf8(bytes.subarray(at, blank));
    const content = bytes.subarray(Math.min(blank + 4, stop), stop);
    const name = parameter(head, "name");
    const filename = parameter(head, "filename");
    if (name === null) throw new TypeError("Failed to parse body as FormData.");
    const type = /^content-type:\s*(.*)$/im.exec(head)?.[1].trim() ?? "text/plain";
    if (filename === null) form.append(name, decodeText(content));
    else form.append(name, new File([content], filename, { type }));
    at = stop + 2;
  }
}

export function decodeFormData(bytes, type) {
  const essence = type.split(";")[0].trim().toLowerCase();
  if (essence === "application/x-www-form-urlencoded") {
    const form = new FormData();
    for (const [name, value] of parseForm(decodeText(bytes))) form.append(name, value);
    return form;
  }
  const boundary = /boundary=(?:"([^"]+)"|([^;\s]+))/i.exec(type);
  if (essence === "multipart/form-data" && boundary) {
    return decodeMultipart(bytes, boundary[1] ?? boundary[2]);
  }
  throw new TypeError("Content-Type was not one of multipart/form-data or application/x-www-form-urlencoded.");
}

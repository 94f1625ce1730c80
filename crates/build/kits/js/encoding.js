// TextEncoder, TextDecoder and their streams (https://encoding.spec.whatwg.org/).
//
// Long text is converted by the host, in machine code; short text is not worth a call, and while the
// module loads there is no host.
import { life, native } from "./host.js";

const SHORT = 32;

export function encodeUtf8(text) {
  if (life.loading || text.length <= SHORT) return encodeHere(text);
  return native.utf8Encode(text.toWellFormed());
}

// Decodes a whole text without a byte order mark's special meaning. Null when fatal and invalid.
export function decodeUtf8(bytes, fatal = false) {
  if (bytes.length <= SHORT) {
    let ascii = true;
    for (let i = 0; i < bytes.length; i++) {
      if (bytes[i] > 127) {
        ascii = false;
        break;
      }
    }
    if (ascii) return String.fromCharCode.apply(null, bytes);
  }
  if (life.loading) return decodeHere(bytes, fatal);
  return native.utf8Decode(bytes, fatal);
}

// Decodes text with its byte order mark removed, as `Body.text` and friends do.
export function decodeText(bytes) {
  const mark = bytes.length > 2 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  return decodeUtf8(mark ? bytes.subarray(3) : bytes);
}

function encodeHere(text) {
  const out = new Uint8Array(text.length * 3);
  let at = 0;
  for (let i = 0; i < text.length; i++) {
    const unit = text.charCodeAt(i);
    if (unit < 0x80) {
      out[at++] = unit;
      continue;
    }
    let point = text.codePointAt(i);
    if (point > 0xffff) i++;
    else if (point >= 0xd800 && point <= 0xdfff) point = 0xfffd;
    if (point < 0x800) {
      out[at++] = 0xc0 | (point >> 6);
    } else {
      if (point < 0x10000) {
        out[at++] = 0xe0 | (point >> 12);
      } else {
        out[at++] = 0xf0 | (point >> 18);
        out[at++] = 0x80 | ((point >> 12) & 0x3f);
      }
      out[at++] = 0x80 | ((point >> 6) & 0x3f);
    }
    out[at++] = 0x80 | (point & 0x3f);
  }
  return out.slice(0, at);
}

function decodeHere(bytes, fatal) {
  let text = "";
  for (let i = 0; i < bytes.length; ) {
    const [point, length] = codePoint(bytes, i);
    if (point < 0 && fatal) return null;
    text += String.fromCodePoint(point < 0 ? 0xfffd : point);
    i += length;
  }
  return text;
}

// The code point at `i` and its length; -1 and the length of what cannot be part of one.
function codePoint(bytes, i) {
  const first = bytes[i];
  if (first < 0x80) return [first, 1];
  const length = sequenceLength(first);
  if (length === 0) return [-1, 1];
  let low = 0x80;
  let high = 0xbf;
  if (first === 0xe0) low = 0xa0;
  else if (first === 0xed) high = 0x9f;
  else if (first === 0xf0) low = 0x90;
  else if (first === 0xf4) high = 0x8f;
  let point = first & (0x7f >> length);
  for (let n = 1; n < length; n++) {
    const next = bytes[i + n];
    if (next === undefined || next < low || next > high) return [-1, n];
    low = 0x80;
    high = 0xbf;
    point = (point << 6) | (next & 0x3f);
  }
  return [point, length];
}

function sequenceLength(first) {
  if (first >= 0xc2 && first <= 0xdf) return 2;
  if (first >= 0xe0 && first <= 0xef) return 3;
  return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

// How many bytes at the end are the beginning of a sequence that the next piece may complete.
function unfinished(bytes) {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back];
    if (byte >= 0xc0) {
      const at = bytes.length - back;
      const [point, length] = codePoint(bytes, at);
      return point < 0 && at + length === bytes.length && sequenceLength(byte) > back ? back : 0;
    }
    if (byte < 0x80) return 0;
  }
  return 0;
}

export class TextEncoder {
  get encoding() {
    return "utf-8";
  }

  encode(text = "") {
    return encodeUtf8(String(text));
  }

  encodeInto(text, target) {
    let read = 0;
    let written = 0;
    for (const character of String(text)) {
      const bytes = encodeHere(character);
      if (written + bytes.length > target.length) break;
      target.set(bytes, written);
      written += bytes.length;
      read += character.length;
    }
    return { read, written };
  }
}

const LABELS = new Map(
  [
    ["utf-8", "utf-8 utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8"],
    ["utf-16le", "utf-16le utf-16 ucs-2 unicode csunicode iso-10646-ucs-2 unicodefeff"],
    ["windows-1252", "windows-1252 latin1 iso-8859-1 ascii us-ascii cp1252 l1 x-cp1252 iso8859-1"],
  ].flatMap(([name, labels]) => labels.split(" ").map((label) => [label, name])),
);

// Where windows-1252 differs from the first 256 code points: 0x80 to 0x9f.
const WINDOWS_1252 =
  "\u20ac\x81\u201a\u0192\u201e\u2026\u2020\u2021\u02c6\u2030\u0160\u2039\u0152\x8d\u017d\x8f" +
  "\x90\u2018\u2019\u201c\u201d\u2022\u2013\u2014\u02dc\u2122\u0161\u203a\u0153\x9d\u017e\u0178";

export function toBytes(data) {
  if (data instanceof Uint8Array) return data;
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  if (data instanceof ArrayBuffer || data instanceof SharedArrayBuffer) return new Uint8Array(data);
  throw new TypeError("an ArrayBuffer or a view of one was expected");
}

export class TextDecoder {
  #rest = null;
  #started = false;

  constructor(label = "utf-8", options = {}) {
    const name = LABELS.get(String(label).trim().toLowerCase());
    if (!name) throw new RangeError(`The "${label}" encoding is not supported`);
    this.encoding = name;
    this.fatal = Boolean(options?.fatal);
    this.ignoreBOM = Boolean(options?.ignoreBOM);
  }

  decode(data = new Uint8Array(0), options = {}) {
    let bytes = toBytes(data);
    if (this.#rest) {
      const joined = new Uint8Array(this.#rest.length + bytes.length);
      joined.set(this.#rest);
      joined.set(bytes, this.#rest.length);
      bytes = joined;
      this.#rest = null;
    }
    const more = Boolean(options?.stream);
    const keep = more ? this.#keep(bytes) : 0;
    if (keep > 0) {
      this.#rest = bytes.slice(bytes.length - keep);
      bytes = bytes.subarray(0, bytes.length - keep);
    }
    let text = this.#convert(bytes);
    if (!this.#started && text.length > 0) {
      this.#started = true;
      if (!this.ignoreBOM && text.charCodeAt(0) === 0xfeff) text = text.slice(1);
    }
    if (!more) this.#started = false;
    return text;
  }

  #keep(bytes) {
    if (this.encoding === "utf-8") return unfinished(bytes);
    return this.encoding === "utf-16le" ? bytes.length % 2 : 0;
  }

  #convert(bytes) {
    if (this.encoding === "utf-8") {
      const text = decodeUtf8(bytes, this.fatal);
      if (text !== null) return text;
      this.#started = false;
      throw invalid(this.encoding);
    }
    let text = "";
    if (this.encoding === "windows-1252") {
      for (const byte of bytes) {
        const special = byte >= 0x80 && byte < 0xa0;
        text += special ? WINDOWS_1252[byte - 0x80] : String.fromCharCode(byte);
      }
      return text;
    }
    for (let i = 0; i + 1 < bytes.length; i += 2) {
      text += String.fromCharCode(bytes[i] | (bytes[i + 1] << 8));
    }
    if (bytes.length % 2) text += "\ufffd";
    if (this.fatal && (bytes.length % 2 || !text.isWellFormed())) throw invalid(this.encoding);
    return text.toWellFormed();
  }
}

function invalid(encoding) {
  const error = new TypeError(`The encoded data was not valid for encoding ${encoding}`);
  error.code = "ERR_ENCODING_INVALID_ENCODED_DATA";
  return error;
}

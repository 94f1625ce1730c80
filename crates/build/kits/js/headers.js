// Headers (https://fetch.spec.whatwg.org/#headers-class).

const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

function checkName(name) {
  const text = String(name);
  if (!NAME.test(text)) throw new TypeError(`Headers: ${text} is an invalid header name.`);
  return text.toLowerCase();
}

function checkValue(value) {
  const text = String(value).replace(/^[\t\n\r ]+|[\t\n\r ]+$/g, "");
  if (!VALUE.test(text)) throw new TypeError(`Headers: ${text} is an invalid header value.`);
  return text;
}

export class Headers {
  // `name: value` lines as the host gave them, until someone looks; then a flat list of names and values.
  #lines = "";
  #list = null;

  constructor(init) {
    if (init === undefined) return;
    if (init === null || typeof init !== "object") {
      throw new TypeError("Headers: the init argument must be an object or a list of pairs");
    }
    if (init instanceof Headers) {
      this.#lines = init.#lines;
      this.#list = init.#list && [...init.#list];
    } else if (typeof init[Symbol.iterator] === "function") {
      for (const pair of init) {
        const [name, value, ...rest] = pair;
        if (value === undefined || rest.length > 0) {
          throw new TypeError("Headers: each entry of the init argument must be a pair");
        }
        this.append(name, value);
      }
    } else {
      for (const name of Object.keys(init)) this.append(name, init[name]);
    }
  }

  static _fromLines(lines) {
    const headers = new Headers();
    headers.#lines = lines;
    return headers;
  }

  static _toLines(headers) {
    const list = headers.#list;
    if (list === null) return headers.#lines;
    let lines = "";
    for (let i = 0; i < list.length; i += 2) lines += `${list[i]}: ${list[i + 1]}\n`;
    return lines;
  }

  #entries() {
    if (this.#list === null) {
      this.#list = [];
      for (const line of this.#lines.split("\n")) {
        const at = line.indexOf(": ");
        if (at > 0) this.#list.push(line.slice(0, at), line.slice(at + 2));
      }
    }
    return this.#list;
  }

  append(name, value) {
    const key = checkName(name);
    this.#entries().push(key, checkValue(value));
  }

  delete(name) {
    const key = checkName(name);
    const list = this.#entries();
    for (let i = list.length - 2; i >= 0; i -= 2) if (list[i] === key) list.splice(i, 2);
  }

  get(name) {
    const key = checkName(name);
    const list = this.#entries();
    let found = null;
    for (let i = 0; i < list.length; i += 2) {
      if (list[i] === key) found = found === null ? list[i + 1] : `${found}, ${list[i + 1]}`;
    }
    return found;
  }

  has(name) {
    return this.get(name) !== null;
  }

  set(name, value) {
    const key = checkName(name);
    const text = checkValue(value);
    const list = this.#entries();
    let first = -1;
    for (let i = list.length - 2; i >= 0; i -= 2) {
      if (list[i] !== key) continue;
      if (first >= 0) list.splice(first, 2);
      first = i;
    }
    if (first >= 0) list[first + 1] = text;
    else list.push(key, text);
  }

  getSetCookie() {
    const list = this.#entries();
    return list.filter((_, i) => i % 2 === 1 && list[i - 1] === "set-cookie");
  }

  // Sorted by name, values joined, except that each set-cookie stands for itself.
  #sorted() {
    const list = this.#entries();
    const names = [...new Set(list.filter((_, i) => i % 2 === 0))].sort();
    return names.flatMap((name) => {
      if (name === "set-cookie") return this.getSetCookie().map((value) => [name, value]);
      return [[name, this.get(name)]];
    });
  }

  forEach(callback, self) {
    for (const [name, value] of this.#sorted()) callback.call(self, value, name, this);
  }

  *entries() {
    yield* this.#sorted();
  }

  *keys() {
    for (const [name] of this.#sorted()) yield name;
  }

  *values() {
    for (const [, value] of this.#sorted()) yield value;
  }

  [Symbol.iterator]() {
    return this.entries();
  }

  get [Symbol.toStringTag]() {
    return "Headers";
  }
}

export const headersFromLines = Headers._fromLines;
export const headersToLines = Headers._toLines;
delete Headers._fromLines;
delete Headers._toLines;

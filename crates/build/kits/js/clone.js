// structuredClone (https://html.spec.whatwg.org/, section 2.7).

const ERRORS = { Error, EvalError, RangeError, ReferenceError, SyntaxError, TypeError, URIError };

function refuse(value) {
  const text = typeof value === "symbol" ? value.toString() : `${value}`;
  return new DOMException(`${text} could not be cloned.`, "DataCloneError");
}

export function structuredClone(value, options = {}) {
  if (arguments.length === 0) throw new TypeError("The value argument must be specified");
  const seen = new Map();
  for (const item of options?.transfer ?? []) {
    if (!(item instanceof ArrayBuffer)) throw refuse(item);
    seen.set(item, item.transfer());
  }
  return copy(value, seen);
}

function copy(value, seen) {
  if (typeof value === "function" || typeof value === "symbol") throw refuse(value);
  if (value === null || typeof value !== "object") return value;
  if (seen.has(value)) return seen.get(value);
  const made = plainCopy(value, seen);
  if (made !== undefined) {
    seen.set(value, made);
    return made;
  }
  return deepCopy(value, seen);
}

// Values that hold no others.
function plainCopy(value, seen) {
  if (value instanceof Date) return new Date(value.getTime());
  if (value instanceof RegExp) return new RegExp(value.source, value.flags);
  if (value instanceof Boolean) return new Boolean(value.valueOf());
  if (value instanceof Number) return new Number(value.valueOf());
  if (value instanceof String) return new String(value.valueOf());
  if (value instanceof ArrayBuffer) return value.slice(0);
  if (value instanceof DataView) {
    return new DataView(copy(value.buffer, seen), value.byteOffset, value.byteLength);
  }
  if (ArrayBuffer.isView(value)) {
    return new value.constructor(copy(value.buffer, seen), value.byteOffset, value.length);
  }
  return undefined;
}

function deepCopy(value, seen) {
  if (value instanceof Map) {
    const made = new Map();
    seen.set(value, made);
    for (const [key, item] of [...value]) made.set(copy(key, seen), copy(item, seen));
    return made;
  }
  if (value instanceof Set) {
    const made = new Set();
    seen.set(value, made);
    for (const item of [...value]) made.add(copy(item, seen));
    return made;
  }
  if (value instanceof Error) return copyError(value, seen);
  const unclonable = [Promise, WeakMap, WeakSet, WeakRef];
  if (unclonable.some((type) => value instanceof type)) throw refuse(value);
  const made = Array.isArray(value) ? new Array(value.length) : {};
  seen.set(value, made);
  for (const key of Object.keys(value)) made[key] = copy(value[key], seen);
  return made;
}

function copyError(value, seen) {
  const Type = ERRORS[value.name] ?? Error;
  const error = new Type(value.message);
  seen.set(value, error);
  error.stack = value.stack;
  if ("cause" in value) error.cause = copy(value.cause, seen);
  return error;
}

// Web Cryptography (https://w3c.github.io/webcrypto/): random values, digests and HMAC. The rest of the
// interface is refused by name.
import { native, platform, requireHost } from "./host.js";
import { toBytes } from "./encoding.js";

const RANDOM_MAX = 65536;

function random(length) {
  requireHost("randomness");
  return platform.random(length);
}

// --- Math.random ---
//
// The engine's own generator was seeded at build time, so every instance would draw the same numbers.
let pool = null;
let drawn = 0;

export function mathRandom() {
  if (pool === null || drawn >= pool.length) {
    pool = new Uint32Array(random(256).buffer);
    drawn = 0;
  }
  const high = pool[drawn++] >>> 5;
  const low = pool[drawn++] >>> 6;
  return (high * 0x4000000 + low) / 0x20000000000000;
}

const INTEGER_ARRAYS = /^(Int8|Uint8|Uint8Clamped|Int16|Uint16|Int32|Uint32|BigInt64|BigUint64)Array$/;

function getRandomValues(array) {
  if (!ArrayBuffer.isView(array) || !INTEGER_ARRAYS.test(array[Symbol.toStringTag])) {
    throw new DOMException("The data argument must be an integer-type TypedArray", "TypeMismatchError");
  }
  if (array.byteLength > RANDOM_MAX) {
    const text = "The requested length exceeds 65,536 bytes";
    throw new DOMException(text, "QuotaExceededError");
  }
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength).set(random(array.byteLength));
  return array;
}

function randomUUID() {
  const bytes = random(16);
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

// --- subtle ---

const BLOCK_BITS = { "SHA-1": 512, "SHA-256": 512, "SHA-384": 1024, "SHA-512": 1024 };

function nameOf(algorithm) {
  return String(typeof algorithm === "object" ? algorithm?.name : algorithm).toUpperCase();
}

function unsupported(what) {
  return new DOMException(`${what} is not supported`, "NotSupportedError");
}

function hashOf(algorithm) {
  const name = nameOf(algorithm?.hash);
  if (!(name in BLOCK_BITS)) throw unsupported(`the hash ${name}`);
  return name;
}

const MAKE = Symbol("make");

class CryptoKey {
  #secret;

  constructor(key, secret, algorithm, extractable, usages) {
    if (key !== MAKE) throw new TypeError("Illegal constructor");
    this.#secret = secret;
    this.type = "secret";
    this.extractable = extractable;
    this.algorithm = algorithm;
    this.usages = usages;
  }

  static secret(key) {
    return key.#secret;
  }

  get [Symbol.toStringTag]() {
    return "CryptoKey";
  }
}

const secretOf = CryptoKey.secret;
delete CryptoKey.secret;

function base64url(bytes) {
  const text = btoa(String.fromCharCode(...bytes));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

function fromBase64url(text) {
  const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (c) => c.charCodeAt(0));
}

function hmacKey(secret, hash, extractable, usages) {
  if (usages.length === 0) {
    throw new DOMException("Usages cannot be empty when importing a secret key.", "SyntaxError");
  }
  const algorithm = { name: "HMAC", hash: { name: hash }, length: secret.length * 8 };
  return new CryptoKey(MAKE, secret, algorithm, Boolean(extractable), [...usages]);
}

function hmac(key, data, usage) {
  if (!(key instanceof CryptoKey)) throw new TypeError("a CryptoKey was expected");
  if (!key.usages.includes(usage)) {
    throw new DOMException(`Unable to use this key to ${usage}`, "InvalidAccessError");
  }
  requireHost("crypto.subtle");
  return native.hmac(key.algorithm.hash.name, secretOf(key), toBytes(data));
}

class SubtleCrypto {
  async digest(algorithm, data) {
    const name = nameOf(algorithm);
    if (!(name in BLOCK_BITS)) throw unsupported(`the digest ${name}`);
    requireHost("crypto.subtle");
    return native.digest(name, toBytes(data)).buffer;
  }

  async importKey(format, data, algorithm, extractable, usages) {
    if (nameOf(algorithm) !== "HMAC") throw unsupported(`the algorithm ${nameOf(algorithm)}`);
    const hash = hashOf(algorithm);
    if (format === "raw") return hmacKey(toBytes(data).slice(), hash, extractable, usages);
    if (format === "jwk" && data?.kty === "oct") {
      return hmacKey(fromBase64url(data.k), hash, extractable, usages);
    }
    throw unsupported(`the key format ${format}`);
  }

  async generateKey(algorithm, extractable, usages) {
    if (nameOf(algorithm) !== "HMAC") throw unsupported(`the algorithm ${nameOf(algorithm)}`);
    const hash = hashOf(algorithm);
    const bits = algorithm.length ?? BLOCK_BITS[hash];
    return hmacKey(random(Math.ceil(bits / 8)), hash, extractable, usages);
  }

  async exportKey(format, key) {
    if (!key.extractable) throw new DOMException("key is not extractable", "InvalidAccessError");
    const secret = secretOf(key);
    if (format === "raw") return secret.slice().buffer;
    if (format !== "jwk") throw unsupported(`the key format ${format}`);
    const alg = key.algorithm.hash.name.replace("SHA-", "HS");
    return { key_ops: [...key.usages], ext: true, kty: "oct", k: base64url(secret), alg };
  }

  async sign(algorithm, key, data) {
    if (nameOf(algorithm) !== "HMAC") throw unsupported(`the algorithm ${nameOf(algorithm)}`);
    return hmac(key, data, "sign").buffer;
  }

  async verify(algorithm, key, signature, data) {
    if (nameOf(algorithm) !== "HMAC") throw unsupported(`the algorithm ${nameOf(algorithm)}`);
    const wanted = hmac(key, data, "verify");
    const given = toBytes(signature);
    if (given.length !== wanted.length) return false;
    // Every byte is looked at, so that the time taken says nothing about where they differ.
    let difference = 0;
    for (let i = 0; i < wanted.length; i++) difference |= wanted[i] ^ given[i];
    return difference === 0;
  }

  static {
    const others = "encrypt decrypt deriveBits deriveKey wrapKey unwrapKey";
    for (const name of others.split(" ")) {
      SubtleCrypto.prototype[name] = async () => {
        throw unsupported(`crypto.subtle.${name}`);
      };
    }
  }
}

export const crypto = { subtle: new SubtleCrypto(), getRandomValues, randomUUID };
export { CryptoKey };

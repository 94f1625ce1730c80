// Random values, digests and HMAC.
const hex = (buffer) => Array.from(new Uint8Array(buffer), (b) => b.toString(16).padStart(2, "0")).join("");

export default async function (print) {
  const data = new TextEncoder().encode("The quick brown fox jumps over the lazy dog");
  for (const name of ["SHA-1", "SHA-256", "SHA-384", "SHA-512", "sha-256"]) {
    print(name, hex(await crypto.subtle.digest(name, data)));
  }
  print(hex(await crypto.subtle.digest({ name: "SHA-256" }, new ArrayBuffer(0))));
  await crypto.subtle.digest("MD5", data).catch((error) => print(error.name));
  for (const hash of ["SHA-1", "SHA-256", "SHA-512"]) {
    const key = await crypto.subtle.importKey("raw", data.slice(0, 9), { name: "HMAC", hash }, true, ["sign", "verify"]);
    const signature = await crypto.subtle.sign("HMAC", key, data);
    print(hash, hex(signature), key.type, key.algorithm.name, key.algorithm.hash.name, key.algorithm.length, key.usages.join());
    print(await crypto.subtle.verify("HMAC", key, signature, data), await crypto.subtle.verify("HMAC", key, signature, data.slice(1)));
    print(hex(await crypto.subtle.exportKey("raw", key)), JSON.stringify(await crypto.subtle.exportKey("jwk", key)));
  }
  const only = await crypto.subtle.importKey("raw", data, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
  await crypto.subtle.sign("HMAC", only, data).catch((error) => print(error.name));
  await crypto.subtle.exportKey("raw", only).catch((error) => print("kept in", error instanceof DOMException));
  const made = await crypto.subtle.generateKey({ name: "HMAC", hash: "SHA-256" }, true, ["sign"]);
  print((await crypto.subtle.exportKey("raw", made)).byteLength);
  const jwk = await crypto.subtle.importKey("jwk", { kty: "oct", k: "AQIDBA", alg: "HS256" }, { name: "HMAC", hash: "SHA-256" }, true, ["sign"]);
  print(hex(await crypto.subtle.sign("HMAC", jwk, data)));

  const random = crypto.getRandomValues(new Uint8Array(64));
  print(random.length, new Set(random).size > 20, crypto.getRandomValues(new Uint32Array(4)).length);
  for (const bad of [new Float32Array(1), new Uint8Array(65537)]) {
    try { crypto.getRandomValues(bad); } catch (error) { print(error.name); }
  }
  const uuid = crypto.randomUUID();
  print(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/.test(uuid), uuid !== crypto.randomUUID());
  const numbers = Array.from({ length: 1000 }, Math.random);
  const mean = numbers.reduce((a, b) => a + b) / 1000;
  print(numbers.every((n) => n >= 0 && n < 1), mean > 0.4 && mean < 0.6, new Set(numbers).size === 1000);
}

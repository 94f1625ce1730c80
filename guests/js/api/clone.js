// structuredClone.
export default async function (print) {
  const shared = { n: 1 };
  const value = {
    text: "x", big: 10n, list: [1, , 3], date: new Date(5), re: /a+/gi, map: new Map([["k", shared]]), set: new Set([shared]),
    bytes: new Uint8Array([1, 2]), none: null, missing: undefined, nan: NaN, one: shared, two: shared,
  };
  value.self = value;
  const copy = structuredClone(value);
  print(copy !== value, copy.self === copy, copy.one === copy.two, copy.map.get("k") === copy.one, copy.set.has(copy.one));
  print(copy.text, copy.big, copy.list.length, 1 in copy.list, copy.date.getTime(), String(copy.re), copy.bytes.join(), "missing" in copy, copy.nan);
  print(copy.bytes.buffer !== value.bytes.buffer, copy.date instanceof Date, Array.isArray(copy.list));
  const error = structuredClone(new RangeError("message"));
  print(error instanceof RangeError, error.name, error.message);
  class Point { constructor() { this.x = 1; } get y() { return 2; } }
  const point = structuredClone(new Point());
  print(point.constructor === Object, JSON.stringify(point));
  for (const bad of [() => 1, Symbol("s"), { f() {} }, Promise.resolve(), new WeakMap()]) {
    try { structuredClone(bad); } catch (e) { print(e.name, e instanceof DOMException); }
  }
  const buffer = new ArrayBuffer(8);
  const moved = structuredClone(buffer, { transfer: [buffer] });
  print(moved.byteLength, buffer.byteLength);
  print(structuredClone(new Number(3)) instanceof Number, structuredClone("s"), structuredClone(null));
}

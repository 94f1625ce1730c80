// How values look in the log. Here the log itself is compared, not the lines given to `print`.
export default async function () {
  console.log("text", 1, -0, 1.5, 10n, true, null, undefined, Symbol("s"));
  console.log(["a", 1, [2, [3, [4]]]], { a: 1, b: { c: { d: { e: 1 } } } }, [], {});
  console.log("%s is %d years and %i, %f, %j %%", "Bob", 42.5, 42.9, "1.5", { a: 1 }, "extra");
  console.log(new Map([["k", { v: 1 }]]), new Set([1, "two"]), new Date(0), /re/g);
  console.log([undefined, null, , 3], { "quoted-key": 1, valid: "it's" });
  console.log(function named() {}, () => {}, class Thing {}, async () => {});
  class Point { constructor() { this.x = 1; this.y = 2; } }
  console.log(new Point(), Object.create(null), [new Point()]);
  const circular = { name: "c" };
  circular.self = circular;
  console.log(circular);
  console.log(Array.from({ length: 20 }, (_, i) => i), Array.from({ length: 120 }, (_, i) => i * 7));
  console.log({ long: "x".repeat(60), other: "y".repeat(30), list: ["some", "words"] });
  console.log({ a: [1, 2, { b: [3] }], f() {}, get g() { return 1; }, set h(v) {}, [Symbol("k")]: 1 });
  console.log(new Uint8Array([1, 2, 3]), "a\nb", ["a\nb", 'q"', "it's"]);
  console.log(Promise.resolve(1) instanceof Promise, new Number(3), new String("s"));
  console.log("%s", { a: 1 }, "%d", 5);
  console.log();
  console.info("info");
  console.debug("debug");
  console.group("group");
  console.log("inside\ntwo lines");
  console.groupEnd();
  console.count();
  console.count("x");
  console.count();
}

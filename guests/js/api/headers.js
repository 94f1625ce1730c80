// Headers.
export default async function (print) {
  const headers = new Headers({ "Content-Type": "text/plain", "X-B": "1" });
  headers.append("x-b", "2");
  headers.append("Set-Cookie", "a=1");
  headers.append("set-cookie", "b=2");
  print(JSON.stringify([...headers]));
  print(headers.get("X-b"), headers.get("none"), headers.has("CONTENT-type"), headers.getSetCookie().join("|"));
  headers.set("x-b", "  trimmed\t");
  headers.set("a-first", "z");
  print(JSON.stringify([...headers.entries()]), [...headers.keys()].join(), [...headers.values()].join());
  headers.delete("x-b");
  headers.forEach((value, name) => print(name, value));
  print(JSON.stringify([...new Headers([["a", "1"], ["A", "2"]])]), JSON.stringify([...new Headers(headers)].length));
  for (const [name, value] of [["bad name", "x"], ["x", "bad\nvalue"], ["x", "bad\0"], ["", "x"], ["x", "\u0100"], ["x", "\u00e9"], ["x", ""]]) {
    try {
      const h = new Headers();
      h.append(name, value);
      print("ok", JSON.stringify([...h]));
    } catch (error) {
      print(error.name);
    }
  }
  for (const init of [null, 1, "x", [["a"]], [["a", "b", "c"]]]) {
    try {
      print([...new Headers(init)].length);
    } catch (error) {
      print(error.name);
    }
  }
  print(Object.prototype.toString.call(headers));
}

// Request and Response: construction, bodies, clones.
const attempt = async (print, label, run) => {
  try {
    print(label, await run());
  } catch (error) {
    print(label, "threw", error.name);
  }
};

export default async function (print) {
  const request = new Request("http://h/p?q#f", { method: "post", body: "höllo", headers: { "x-a": "1" } });
  print(request.method, request.url, request.headers.get("content-type"), request.headers.get("x-a"), request.bodyUsed);
  print(await request.text(), request.bodyUsed);
  await attempt(print, "again", () => request.text());
  await attempt(print, "clone", () => request.clone());
  await attempt(print, "get body", () => new Request("http://h/", { body: "x" }));
  await attempt(print, "relative", () => new Request("/x"));
  for (const method of ["get", "patch", "Put", "TRACE", "x y", "custom"]) {
    await attempt(print, method, () => new Request("http://h/", { method }).method);
  }
  const copy = new Request(new Request("http://h/a", { method: "PUT", body: "abc" }), { headers: { z: "9" } });
  print(copy.method, copy.url, copy.headers.get("z"), await copy.text());
  const original = new Request("http://h/", { method: "POST", body: "twice" });
  const twin = original.clone();
  print(await original.text(), await twin.text());
  print(copy.signal instanceof AbortSignal, copy.redirect, copy.duplex);

  const bodies = [
    "text", new TextEncoder().encode("bytes"), new TextEncoder().encode("buffer").buffer, new Blob(["blob"], { type: "x/y" }),
    new URLSearchParams({ a: "1 2" }), new ReadableStream({ start(c) { c.enqueue(new TextEncoder().encode("stream")); c.close(); } }),
    null, undefined, 42, new Blob(["untyped"]),
  ];
  for (const body of bodies) {
    const response = new Response(body);
    print(response.status, response.ok, response.headers.get("content-type"), response.body === null, await response.text());
  }
  for (const [text, kind] of [["{\"a\":[1,2]}", "json"], ["bad", "json"], ["abc", "arrayBuffer"], ["abc", "blob"], ["\ufeffmark", "text"]]) {
    await attempt(print, kind, async () => {
      const value = await new Response(text)[kind]();
      return value instanceof ArrayBuffer ? value.byteLength : value instanceof Blob ? `${value.size} ${value.type}` : JSON.stringify(value);
    });
  }
  const json = Response.json({ x: 1 }, { status: 201, headers: { "x-y": "z" } });
  print(json.status, json.headers.get("content-type"), json.headers.get("x-y"), await json.text());
  const redirect = Response.redirect("http://h/there", 301);
  print(redirect.status, redirect.headers.get("location"));
  print(Response.error().type, Response.error().status);
  for (const [body, init] of [[null, { status: 204 }], ["x", { status: 204 }], [null, { status: 99 }], [null, { status: 600 }], ["x", { statusText: "Fine" }], [null, { status: "202" }]]) {
    await attempt(print, JSON.stringify(init), () => {
      const r = new Response(body, init);
      return `${r.status} ${r.statusText} ${r.ok}`;
    });
  }
  await attempt(print, "redirect 200", () => Response.redirect("http://h/", 200));
  await attempt(print, "undefined json", () => Response.json(undefined));
  const response = new Response("cloned");
  const other = response.clone();
  print(await response.text(), await other.text(), response.bodyUsed);
  await attempt(print, "clone used", () => response.clone());
  const locked = new Response("x");
  locked.body.getReader();
  await attempt(print, "locked", () => locked.text());
  print(locked.bodyUsed);
  const streamed = new Response(new ReadableStream({ start(c) { c.enqueue(new Uint8Array([104, 105])); c.close(); } }));
  const [a, b] = streamed.body.tee();
  print(await new Response(a).text(), await new Response(b).text());
  let pieces = 0;
  for await (const piece of new Response("iterate").body) pieces += piece.length;
  print(pieces);
  await attempt(print, "string chunk", () => new Response(new ReadableStream({ start(c) { c.enqueue("s"); c.close(); } })).text());
  print(Object.prototype.toString.call(response), Object.prototype.toString.call(request));
}

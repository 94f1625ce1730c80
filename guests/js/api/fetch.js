// fetch, against a server whose paths are: /echo (method, headers and body back as JSON), /delay?ms=N,
// /redirect?to=PATH&status=N, /stream?n=N (N lines with pauses), /bytes?n=N, /status?code=N.
export default async function (print, base) {
  const echo = async (init, path = "/echo") => (await fetch(base + path, init)).json();
  const plain = await fetch(`${base}/echo?x=1#frag`);
  print(plain.status, plain.ok, plain.url === `${base}/echo?x=1`, plain.redirected, plain.headers.get("content-type"), plain.type);
  const body = await plain.json();
  print(body.method, body.path);
  const post = await echo({ method: "POST", body: "höllo", headers: { "x-one": "1" } });
  print(post.method, post.headers["x-one"], post.headers["content-type"], post.body);
  print((await echo({ method: "PUT", body: new URLSearchParams({ a: "b c" }) })).body);
  print((await echo({ method: "POST", body: new Uint8Array([65, 66]) })).body);
  const stream = new ReadableStream({ start(c) { for (const s of ["one ", "two"]) c.enqueue(new TextEncoder().encode(s)); c.close(); } });
  print((await echo({ method: "POST", body: stream, duplex: "half" })).body);
  print((await fetch(new Request(`${base}/echo`, { method: "DELETE" })).then((r) => r.json())).method);

  const started = Date.now();
  const all = await Promise.all([0, 1, 2, 3].map(() => fetch(`${base}/delay?ms=300`).then((r) => r.text())));
  print(all.join(), Date.now() - started < 900);

  const follow = await fetch(`${base}/redirect?to=/echo&status=302`);
  print(follow.status, follow.redirected, follow.url === `${base}/echo`, (await follow.json()).method);
  const see = await fetch(`${base}/redirect?to=/echo&status=303`, { method: "POST", body: "x" });
  print((await see.json()).method);
  const kept = await fetch(`${base}/redirect?to=/echo&status=307`, { method: "POST", body: "kept" });
  print((await kept.json()).body);
  const manual = await fetch(`${base}/redirect?to=/echo&status=301`, { redirect: "manual" });
  print(manual.status, manual.headers.get("location"));
  await fetch(`${base}/redirect?to=/echo&status=302`, { redirect: "error" }).catch((e) => print(e.name));

  let lines = "";
  for await (const piece of (await fetch(`${base}/stream?n=3`)).body) lines += new TextDecoder().decode(piece);
  print(JSON.stringify(lines));
  print((await (await fetch(`${base}/bytes?n=300000`)).arrayBuffer()).byteLength);
  const missing = await fetch(`${base}/status?code=404`);
  print(missing.status, missing.ok);
  const head = await fetch(`${base}/bytes?n=10`, { method: "HEAD" });
  print(head.status, head.headers.get("content-length"), (await head.text()).length);

  const controller = new AbortController();
  const slow = fetch(`${base}/delay?ms=5000`, { signal: controller.signal });
  setTimeout(() => controller.abort(), 20);
  await slow.catch((e) => print("aborted", e.name));
  await fetch(`${base}/delay?ms=5000`, { signal: AbortSignal.timeout(20) }).catch((e) => print("timed out", e.name));
  await fetch(`${base}/echo`, { signal: AbortSignal.abort() }).catch((e) => print("already", e.name));
  await fetch("http://127.0.0.1:1/").catch((e) => print("refused", e.name, e.message));
  await fetch("nonsense").catch((e) => print(e.name));
  const part = await fetch(`${base}/stream?n=1000`);
  const reader = part.body.getReader();
  print((await reader.read()).done);
  await reader.cancel();
  print("cancelled");
}

// Readable, writable and transform streams.
const tick = () => new Promise((resolve) => setTimeout(resolve, 1));

export default async function (print) {
  let pulls = 0;
  const counted = new ReadableStream({
    pull(controller) {
      pulls++;
      if (pulls > 3) controller.close();
      else controller.enqueue(pulls);
    },
  }, { highWaterMark: 2 });
  await tick();
  print("pulled ahead", pulls, counted.locked);
  const seen = [];
  for await (const value of counted) seen.push(value);
  print(seen.join(), pulls);

  const reader = new ReadableStream({ start(c) { c.enqueue("a"); c.close(); } }).getReader();
  print(JSON.stringify([await reader.read(), await reader.read()]), await reader.closed);
  const failing = new ReadableStream({ start(c) { c.enqueue(1); c.error(new RangeError("bad")); } }).getReader();
  await failing.read().catch((e) => print("read", e.name, e.message));
  await failing.closed.catch((e) => print("closed", e.name));
  const cancelled = new ReadableStream({ cancel(reason) { print("cancelled with", reason); } });
  await cancelled.cancel("why");
  const locked = new ReadableStream();
  const lock = locked.getReader();
  print(locked.locked);
  try { locked.getReader(); } catch (e) { print(e.name); }
  const waiting = lock.read();
  lock.releaseLock();
  await waiting.catch((e) => print("released", e.name));
  print(locked.locked);
  const strange = new ReadableStream({ start(c) { print("desired", c.desiredSize); c.enqueue("xx"); print("desired", c.desiredSize); c.close(); try { c.enqueue(1); } catch (e) { print(e.name); } } },
    { highWaterMark: 5, size: (chunk) => chunk.length });
  print((await strange.getReader().read()).value);

  const [left, right] = new ReadableStream({ start(c) { for (let i = 0; i < 3; i++) c.enqueue(i); c.close(); } }).tee();
  const collect = async (stream) => { const all = []; for await (const v of stream) all.push(v); return all.join(); };
  print(await collect(left), await collect(right));
  const early = new ReadableStream({ pull(c) { c.enqueue(1); }, cancel(r) { print("early cancel", r); } });
  for await (const v of early) { print("got", v); break; }
  const from = ReadableStream.from([1, 2, Promise.resolve(3)]);
  print(await collect(from));

  const bytes = new ReadableStream({ type: "bytes", start(c) { c.enqueue(new Uint8Array([1, 2, 3, 4, 5])); c.close(); } });
  const byob = bytes.getReader({ mode: "byob" });
  const one = await byob.read(new Uint8Array(3));
  print(one.value.join(), one.done);
  const two = await byob.read(new Uint8Array(3));
  print(two.value.join(), two.done);
  const three = await byob.read(new Uint8Array(3));
  print(three.value?.length, three.done);

  const log = [];
  const sink = new WritableStream({
    start() { log.push("start"); },
    async write(chunk) { await tick(); log.push(`write ${chunk}`); },
    close() { log.push("close"); },
    abort(reason) { log.push(`abort ${reason}`); },
  }, { highWaterMark: 2 });
  const writer = sink.getWriter();
  print(writer.desiredSize);
  writer.write("a");
  const second = writer.write("b");
  print(writer.desiredSize);
  let ready = false;
  writer.ready.then(() => { ready = true; });
  await second;
  print(ready, writer.desiredSize);
  await writer.close();
  await writer.closed;
  print(log.join(", "));

  const aborted = new WritableStream({ abort(reason) { print("sink abort", reason); } });
  await aborted.abort("stop");
  await aborted.getWriter().closed.catch((e) => print("aborted", e));
  const broken = new WritableStream({ write() { throw new Error("disk full"); } }).getWriter();
  await broken.write(1).catch((e) => print(e.message));
  await broken.closed.catch((e) => print("then", e.message));

  const upper = () => new TransformStream({
    transform(chunk, controller) { controller.enqueue(chunk.toUpperCase()); },
    flush(controller) { controller.enqueue("!"); },
  });
  const source = () => new ReadableStream({ start(c) { c.enqueue("a"); c.enqueue("b"); c.close(); } });
  print(await collect(source().pipeThrough(upper())));
  print(await collect(source().pipeThrough(new TransformStream())));
  print(await collect(source().pipeThrough(new TextEncoderStream()).pipeThrough(new TextDecoderStream())));
  const euro = new ReadableStream({ start(c) { c.enqueue(new Uint8Array([0xe2, 0x82])); c.enqueue(new Uint8Array([0xac])); c.close(); } });
  print(await collect(euro.pipeThrough(new TextDecoderStream())));
  const thrower = new TransformStream({ transform() { throw new TypeError("no"); } });
  await collect(source().pipeThrough(thrower)).catch((e) => print("transform", e.name, e.message));

  const piped = [];
  await source().pipeTo(new WritableStream({ write(c) { piped.push(c); }, close() { piped.push("closed"); } }));
  print(piped.join());
  const bad = new ReadableStream({ start(c) { c.error(new Error("source")); } });
  await bad.pipeTo(new WritableStream({ abort(e) { print("dest aborted", e.message); } })).catch((e) => print("pipe", e.message));
  const full = new WritableStream({ write() { throw new Error("dest"); } });
  await new ReadableStream({ pull(c) { c.enqueue(1); }, cancel(e) { print("source cancelled", e.message); } }).pipeTo(full).catch((e) => print("pipe", e.message));
  const stop = new AbortController();
  const endless = new ReadableStream({ async pull(c) { await tick(); c.enqueue(1); }, cancel(e) { print("endless", e.name); } });
  const pipe = endless.pipeTo(new WritableStream(), { signal: stop.signal });
  stop.abort();
  await pipe.catch((e) => print("pipe", e.name));

  // A slow reader holds the writer back.
  let produced = 0;
  const slow = new ReadableStream({ pull(c) { produced++; c.enqueue(produced); } }, { highWaterMark: 0 }).pipeThrough(new TransformStream());
  const slowReader = slow.getReader();
  await slowReader.read();
  await tick();
  print("held back", produced < 5);
  print(new CountQueuingStrategy({ highWaterMark: 3 }).highWaterMark, new ByteLengthQueuingStrategy({ highWaterMark: 3 }).size(new Uint8Array(7)));
}

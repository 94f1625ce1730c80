// One path for each thing that end-to-end tests ask of a script function.
let requests = 0;
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

const PATHS = {
  "/hello": () => new Response("hello\n"),
  "/count": () => new Response(`${++requests}\n`),
  "/env": (_, env) => Response.json(env),
  "/headers": (request) => Response.json(Object.fromEntries(request.headers)),
  // The request's body as the response's, untouched.
  "/echo": (request) => new Response(request.body, { headers: { "x-method": request.method } }),
  // The same through a transform, piece by piece.
  "/upper": (request) =>
    new Response(
      request.body
        .pipeThrough(new TextDecoderStream())
        .pipeThrough(new TransformStream({ transform: (text, c) => c.enqueue(text.toUpperCase()) }))
        .pipeThrough(new TextEncoderStream()),
    ),
  "/length": async (request) => {
    let length = 0;
    for await (const piece of request.body) length += piece.length;
    return new Response(`${length}\n`);
  },
  "/large": (request) => {
    const total = Number(new URL(request.url).searchParams.get("bytes"));
    let sent = 0;
    return new Response(
      new ReadableStream({
        pull(controller) {
          if (sent >= total) return controller.close();
          const size = Math.min(65536, total - sent);
          controller.enqueue(new Uint8Array(size).fill(97));
          sent += size;
        },
      }),
    );
  },
  "/clock": () => {
    let tick = 0;
    const stream = new ReadableStream({
      async pull(controller) {
        await sleep(10);
        controller.enqueue(new TextEncoder().encode(`data: ${tick++}\n\n`));
        if (tick === 5) controller.close();
      },
    });
    return new Response(stream, { headers: { "content-type": "text/event-stream" } });
  },
  // Fetches `n` times from `url` at once.
  "/fetch": async (request) => {
    const query = new URL(request.url).searchParams;
    const one = () => fetch(query.get("url")).then((response) => response.text());
    return Response.json(await Promise.all(Array.from({ length: Number(query.get("n") ?? 1) }, one)));
  },
  "/proxy": (request) => fetch(new URL(request.url).searchParams.get("url")),
  "/wait-until": (_request, _env, ctx) => {
    ctx.waitUntil(sleep(100).then(() => console.log("waited until now")));
    return new Response("early\n");
  },
  // Not waited for, so cancelled: its line must not appear.
  "/forgotten": () => {
    setTimeout(() => console.log("this must not be seen"), 100);
    return new Response("done\n");
  },
  "/throw": () => {
    throw new RangeError("thrown on purpose");
  },
  "/not-a-response": () => "text",
  "/never": () => new Promise(() => {}),
  "/loop": () => {
    for (;;);
  },
  "/hog": () => {
    const kept = [];
    for (;;) kept.push(new Uint8Array(1 << 20).fill(1));
  },
  "/broken-stream": () => {
    let sent = 0;
    return new Response(
      new ReadableStream({
        pull(controller) {
          if (sent++ === 0) controller.enqueue(new TextEncoder().encode("first"));
          else controller.error(new Error("the stream broke"));
        },
      }),
    );
  },
  "/random": () => Response.json([Math.random(), crypto.randomUUID(), performance.now() >= 0]),
  "/log": () => {
    console.log("to the log", { a: 1 });
    console.error("to the errors");
    return new Response("logged\n");
  },
};

export default {
  fetch(request, env, ctx) {
    const { pathname } = new URL(request.url);
    const answer = PATHS[pathname.replace(/^\/warm/, "")];
    return answer ? answer(request, env, ctx) : new Response("no such path\n", { status: 404 });
  },
};

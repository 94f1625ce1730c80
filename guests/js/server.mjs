// The server that `api/fetch.js` calls. Prints its address.
import { createServer } from "node:http";

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://x");
  const number = (name) => Number(url.searchParams.get(name));
  response.on("error", () => {});
  if (url.pathname === "/echo") {
    let body = "";
    request.setEncoding("utf8");
    for await (const piece of request) body += piece;
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify({ method: request.method, path: request.url, headers: request.headers, body }));
  } else if (url.pathname === "/delay") {
    setTimeout(() => response.end(`${number("ms")}`), number("ms"));
  } else if (url.pathname === "/redirect") {
    response.writeHead(number("status"), { location: url.searchParams.get("to") }).end();
  } else if (url.pathname === "/stream") {
    for (let i = 0; i < number("n") && !response.destroyed; i++) {
      response.write(`line ${i}\n`);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    response.end();
  } else if (url.pathname === "/bytes") {
    response.setHeader("content-length", number("n"));
    response.end(request.method === "HEAD" ? undefined : Buffer.alloc(number("n"), 97));
  } else {
    response.writeHead(number("code") || 404).end("status");
  }
});
server.listen(0, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}`));

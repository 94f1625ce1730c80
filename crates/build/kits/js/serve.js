// The world's one export: from the host's request to the author's `fetch` and back.
import { cancelAll, life, platform } from "./host.js";
import { discard } from "./body.js";
import { Response, incomingRequest, outgoingResponse } from "./fetch.js";
import { clearAll } from "./timers.js";
import { inspect } from "./inspect.js";

// --- env ---
//
// Asked from the host when the function first looks, because many never do.
const values = {};
let loaded = false;

function load() {
  if (!loaded) {
    loaded = true;
    for (const [name, value] of platform.env()) values[name] = value;
  }
  return values;
}

const env = new Proxy(values, {
  get: (_, name) => load()[name],
  has: (_, name) => name in load(),
  ownKeys: () => Reflect.ownKeys(load()),
  getOwnPropertyDescriptor: (_, name) => Reflect.getOwnPropertyDescriptor(load(), name),
});

// --- ctx ---

const WAITS = Symbol("waits");

class ExecutionContext {
  waitUntil(promise) {
    const wait = Promise.resolve(promise).catch((error) => report(error));
    (this[WAITS] ??= []).push(wait);
  }

  passThroughOnException() {}
}

// Waits for the body and for everything handed to waitUntil, what is added meanwhile too.
async function settle(context, done) {
  await done;
  while (context[WAITS]) {
    const waits = context[WAITS];
    context[WAITS] = undefined;
    await Promise.all(waits);
  }
}

// --- the call ---

function report(error) {
  const text = error instanceof Error ? inspect(error) : `Uncaught ${inspect(error)}`;
  platform.log(1, text.toWellFormed());
  return text;
}

// The request is over: what was started and not waited for is cancelled.
function end(request) {
  life.ended = true;
  clearAll();
  cancelAll();
  discard(request);
}

// Makes the world's `handle` from the author's module.
export function serve(module) {
  const app = module.default;
  const run = typeof app === "function" ? app : app?.fetch;
  if (typeof run !== "function") {
    throw new TypeError("the module must `export default { async fetch(request, env, ctx) { … } }`");
  }
  return async function handle(record) {
    life.loading = false;
    life.ended = false;
    const request = incomingRequest(record);
    const context = new ExecutionContext();
    try {
      const response = await run.call(app, request, env, context);
      if (!(response instanceof Response)) {
        throw new TypeError("the handler did not return a Response");
      }
      const { record: answer, done } = outgoingResponse(response);
      if (done === null && context[WAITS] === undefined) end(request);
      else settle(context, done).then(() => end(request));
      return answer;
    } catch (error) {
      const text = report(error);
      settle(context, null).then(() => end(request));
      throw text.toWellFormed();
    }
  };
}

// Everything so far is garbage of the build; collected now, it neither fills the snapshot nor makes an
// instance collect in its first request, which would touch, and so copy, every page.
export function collect() {
  globalThis.__cqjs?.runGc?.();
}

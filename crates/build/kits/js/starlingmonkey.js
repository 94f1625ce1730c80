// The shim for StarlingMonkey, which has the web's interfaces of its own: the author's module style on
// top of its fetch event.
import { getEnvironment } from "wasi:cli/environment@0.2.10";

export function serve(module) {
  const app = module.default;
  const run = typeof app === "function" ? app : app?.fetch;
  if (typeof run !== "function") {
    throw new TypeError("the module must `export default { async fetch(request, env, ctx) { … } }`");
  }
  addEventListener("fetch", (event) => {
    const env = Object.fromEntries(getEnvironment());
    const context = {
      waitUntil: (promise) => event.waitUntil(promise),
      passThroughOnException() {},
    };
    event.respondWith((async () => run.call(app, event.request, env, context))());
  });
}

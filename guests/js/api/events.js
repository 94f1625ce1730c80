// Events, abort signals, timers, microtasks and their order.
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export default async function (print) {
  const target = new EventTarget();
  const handler = { handleEvent(event) { print("object", event.type, this === handler); } };
  target.addEventListener("x", (event) => print("first", event.type, event.target === target, event.cancelable));
  target.addEventListener("x", handler);
  target.addEventListener("x", () => print("once"), { once: true });
  print(target.dispatchEvent(new Event("x")));
  target.removeEventListener("x", handler);
  target.addEventListener("x", (event) => { event.preventDefault(); event.stopImmediatePropagation(); });
  target.addEventListener("x", () => print("never"));
  print(target.dispatchEvent(new Event("x", { cancelable: true })));
  const custom = new CustomEvent("c", { detail: { a: 1 } });
  print(custom.detail.a, custom instanceof Event, new Event("t").defaultPrevented);
  try { target.dispatchEvent({}); } catch (error) { print(error.name); }

  const controller = new AbortController();
  controller.signal.addEventListener("abort", () => print("aborted", controller.signal.reason.name));
  controller.signal.onabort = () => print("onabort");
  print(controller.signal.aborted);
  controller.abort();
  controller.abort("again");
  print(controller.signal.aborted, controller.signal.reason.message, controller.signal.reason instanceof DOMException);
  try { controller.signal.throwIfAborted(); } catch (error) { print(error.name, error.code); }
  print(AbortSignal.abort("why").reason);
  const timeout = AbortSignal.timeout(5);
  await new Promise((resolve) => timeout.addEventListener("abort", resolve));
  print(timeout.reason.name);
  const any = new AbortController();
  const either = AbortSignal.any([any.signal, new AbortController().signal]);
  any.abort("one");
  print(either.aborted, either.reason);
  try { new AbortSignal(); } catch (error) { print(error.name); }

  const order = [];
  setTimeout(() => order.push("timeout 10"), 10);
  setTimeout(() => { order.push("timeout 0"); Promise.resolve().then(() => order.push("its microtask")); }, 0);
  setTimeout((a, b) => order.push(`timeout 1 ${a}${b}`), 1, "x", "y");
  const never = setTimeout(() => order.push("cleared"), 2);
  clearTimeout(never);
  queueMicrotask(() => order.push("microtask"));
  Promise.resolve().then(() => order.push("promise"));
  order.push("sync");
  await sleep(30);
  print(order.join(", "));
  let beats = 0;
  await new Promise((resolve) => {
    const id = setInterval(() => { if (++beats === 3) { clearInterval(id); resolve(); } }, 2);
  });
  await sleep(10);
  print(beats);
  const before = performance.now();
  const wall = Date.now();
  await sleep(20);
  const passed = performance.now() - before;
  print(passed >= 19, passed < 1000, Date.now() - wall >= 18, before >= 0, Math.abs(performance.timeOrigin + performance.now() - Date.now()) < 1000);
  clearTimeout(undefined);
  clearTimeout(12345678);
  try { setTimeout("code"); } catch (error) { print(error.name, error.code); }
}

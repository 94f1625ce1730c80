// Events and abort signals (https://dom.spec.whatwg.org/, sections 2 and 3).

export class Event {
  #stopped = false;
  #prevented = false;

  constructor(type, options = {}) {
    if (arguments.length === 0) throw new TypeError('The "type" argument must be specified');
    this.type = String(type);
    this.bubbles = Boolean(options?.bubbles);
    this.cancelable = Boolean(options?.cancelable);
    this.composed = Boolean(options?.composed);
    this.target = null;
    this.currentTarget = null;
    this.eventPhase = 0;
    this.isTrusted = false;
    this.timeStamp = 0;
  }

  get defaultPrevented() {
    return this.#prevented;
  }

  get cancelBubble() {
    return this.#stopped;
  }

  get returnValue() {
    return !this.#prevented;
  }

  preventDefault() {
    if (this.cancelable) this.#prevented = true;
  }

  stopPropagation() {}

  stopImmediatePropagation() {
    this.#stopped = true;
  }

  composedPath() {
    return this.currentTarget ? [this.currentTarget] : [];
  }
}

export class CustomEvent extends Event {
  constructor(type, options = {}) {
    super(type, options);
    this.detail = options?.detail ?? null;
  }
}

export class EventTarget {
  #listeners = new Map();

  addEventListener(type, listener, options = {}) {
    if (listener === null || listener === undefined) return;
    const settings = typeof options === "boolean" ? { capture: options } : (options ?? {});
    if (settings.signal?.aborted) return;
    const capture = Boolean(settings.capture);
    const list = this.#listeners.get(String(type)) ?? [];
    if (list.some((entry) => entry.listener === listener && entry.capture === capture)) return;
    list.push({ listener, capture, once: Boolean(settings.once) });
    this.#listeners.set(String(type), list);
    settings.signal?.addEventListener("abort", () => {
      this.removeEventListener(type, listener, settings);
    });
  }

  removeEventListener(type, listener, options = {}) {
    const capture = typeof options === "boolean" ? options : Boolean(options?.capture);
    const list = this.#listeners.get(String(type));
    const at = list?.findIndex((e) => e.listener === listener && e.capture === capture) ?? -1;
    if (at >= 0) {
      list[at].removed = true;
      list.splice(at, 1);
    }
  }

  dispatchEvent(event) {
    if (!(event instanceof Event)) {
      throw new TypeError('The "event" argument must be an instance of Event');
    }
    event.target = event.currentTarget = this;
    event.eventPhase = 2;
    const list = [...(this.#listeners.get(event.type) ?? [])];
    for (const entry of list) {
      if (event.cancelBubble) break;
      if (entry.removed) continue;
      if (entry.once) this.removeEventListener(event.type, entry.listener, entry);
      if (typeof entry.listener === "function") call(entry.listener, this, event);
      else call(entry.listener.handleEvent, entry.listener, event);
    }
    event.currentTarget = null;
    event.eventPhase = 0;
    return !event.defaultPrevented;
  }
}

// A listener that throws must not keep the others from hearing.
function call(listener, self, event) {
  try {
    listener.call(self, event);
  } catch (error) {
    globalThis.console.error("Uncaught", error);
  }
}

const MAKE = Symbol("make");

export class AbortSignal extends EventTarget {
  #reason = undefined;
  #aborted = false;
  #onabort = null;

  constructor(key) {
    if (key !== MAKE) throw new TypeError("Illegal constructor");
    super();
  }

  get aborted() {
    return this.#aborted;
  }

  get onabort() {
    return this.#onabort;
  }

  set onabort(handler) {
    if (this.#onabort) this.removeEventListener("abort", this.#onabort);
    this.#onabort = typeof handler === "function" ? handler : null;
    if (this.#onabort) this.addEventListener("abort", this.#onabort);
  }

  get reason() {
    return this.#reason;
  }

  throwIfAborted() {
    if (this.#aborted) throw this.#reason;
  }

  static abort(reason = abortError()) {
    const signal = new AbortSignal(MAKE);
    signal.#aborted = true;
    signal.#reason = reason;
    return signal;
  }

  static timeout(milliseconds) {
    const signal = new AbortSignal(MAKE);
    globalThis.setTimeout(() => {
      const text = "The operation was aborted due to timeout";
      AbortSignal._abort(signal, new DOMException(text, "TimeoutError"));
    }, milliseconds);
    return signal;
  }

  static any(signals) {
    const all = [...signals];
    const already = all.find((signal) => signal.aborted);
    if (already) return AbortSignal.abort(already.reason);
    const result = new AbortSignal(MAKE);
    for (const signal of all) {
      const follow = () => AbortSignal._abort(result, signal.reason);
      signal.addEventListener("abort", follow, { once: true });
    }
    return result;
  }

  static _make() {
    return new AbortSignal(MAKE);
  }

  static _abort(signal, reason) {
    if (signal.#aborted) return;
    signal.#aborted = true;
    signal.#reason = reason;
    signal.dispatchEvent(new Event("abort"));
  }
}

export const makeSignal = AbortSignal._make;
const abort = AbortSignal._abort;
delete AbortSignal._make;

function abortError() {
  return new DOMException("This operation was aborted", "AbortError");
}

export class AbortController {
  #signal = makeSignal();

  get signal() {
    return this.#signal;
  }

  abort(reason = abortError()) {
    abort(this.#signal, reason);
  }
}

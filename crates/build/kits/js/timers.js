// Timers (https://html.spec.whatwg.org/, section 8.6), and the clock they go by.
//
// Timers that are due at the same time must fire in the order they were set, so the order is kept here
// and the host is asked for one wake-up at a time.
import { cancel, life, operation, platform, requireHost } from "./host.js";

const clock = globalThis.performance.now.bind(globalThis.performance);

// The engine's clock counts from the build; a program expects it to count from its own start.
const start = { monotonic: null, wall: 0 };

function begin() {
  if (start.monotonic === null && !life.loading) {
    start.monotonic = clock();
    start.wall = Date.now();
  }
  return start;
}

export const performance = {
  now: () => {
    const { monotonic } = begin();
    return monotonic === null ? 0 : clock() - monotonic;
  },
  get timeOrigin() {
    return begin().wall;
  },
  toJSON: () => ({ timeOrigin: performance.timeOrigin }),
};

// By due time, then by number; the numbers grow.
const queue = [];
let next = 1;
let wake = null;

function set(callback, delay, period, args) {
  requireHost("setTimeout");
  if (typeof callback !== "function") {
    const error = new TypeError('The "callback" argument must be of type function');
    error.code = "ERR_INVALID_ARG_TYPE";
    throw error;
  }
  const wait = delay >= 1 && delay <= 0x7fffffff ? Math.trunc(delay) : 1;
  const timer = { id: next++, due: clock() + wait, wait, period, callback, args };
  insert(timer);
  arm();
  return timer.id;
}

function insert(timer) {
  let at = queue.length;
  while (at > 0 && queue[at - 1].due > timer.due) at--;
  queue.splice(at, 0, timer);
}

function arm() {
  if (queue.length === 0) {
    if (wake) cancel(wake.id);
    return;
  }
  const due = queue[0].due;
  if (wake && wake.due <= due) return;
  if (wake) cancel(wake.id);
  const mine = { id: 0, due };
  wake = mine;
  operation((id) => {
    mine.id = id;
    return platform.sleep(id, Math.max(0, due - clock())).read();
  }).then((fired) => {
    if (wake === mine) wake = null;
    if (life.ended) queue.length = 0;
    else if (fired) fire(due);
    else arm();
  });
}

// Fires one timer. The next wake-up comes from the host again, so that everything the callback set in
// motion is done first.
function fire(due) {
  const timer = queue[0];
  if (timer && timer.due <= Math.max(due, clock())) {
    queue.shift();
    if (timer.period) {
      timer.due = clock() + timer.wait;
      insert(timer);
    }
    try {
      timer.callback(...timer.args);
    } catch (error) {
      globalThis.console.error("Uncaught", error);
    }
  }
  arm();
}

export function setTimeout(callback, delay = 0, ...args) {
  return set(callback, Number(delay), false, args);
}

export function setInterval(callback, delay = 0, ...args) {
  return set(callback, Number(delay), true, args);
}

export function clearTimeout(id) {
  const at = queue.findIndex((timer) => timer.id === id);
  if (at < 0) return;
  queue.splice(at, 1);
  if (queue.length === 0) arm();
}

// Forgets all timers at the end of a request.
export function clearAll() {
  queue.length = 0;
}

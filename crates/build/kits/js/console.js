// console (https://console.spec.whatwg.org/). Every call is one entry of the function's log.
import { format, inspect } from "./inspect.js";
import { life, platform } from "./host.js";
import { performance } from "./timers.js";

const OUT = 0;
const ERROR = 1;

let indent = "";
const counts = new Map();
const timers = new Map();

function write(level, args) {
  // While the module loads nobody listens.
  if (life.loading) return;
  let text = format(args);
  if (indent !== "") text = text.replace(/^/gm, indent);
  platform.log(level, text.toWellFormed());
}

function elapsed(label) {
  const started = timers.get(label);
  if (started === undefined) return null;
  const ms = performance.now() - started;
  return ms >= 1000 ? `${(ms / 1000).toFixed(3)}s` : `${Number(ms.toFixed(3))}ms`;
}

export const console = {
  log: (...args) => write(OUT, args),
  info: (...args) => write(OUT, args),
  debug: (...args) => write(OUT, args),
  warn: (...args) => write(ERROR, args),
  error: (...args) => write(ERROR, args),
  dir: (value) => write(OUT, [inspect(value)]),
  dirxml: (...args) => write(OUT, args),
  table: (value) => write(OUT, [value]),
  trace: (...args) => {
    const stack = new Error().stack.split("\n").slice(1).join("\n");
    write(ERROR, [args.length > 0 ? `Trace: ${format(args)}\n${stack}` : `Trace\n${stack}`]);
  },
  assert: (condition, ...args) => {
    if (condition) return;
    const [first, ...rest] = args;
    if (args.length === 0) write(ERROR, ["Assertion failed"]);
    else if (typeof first === "string") write(ERROR, [`Assertion failed: ${first}`, ...rest]);
    else write(ERROR, ["Assertion failed:", ...args]);
  },
  count: (label = "default") => {
    const count = (counts.get(String(label)) ?? 0) + 1;
    counts.set(String(label), count);
    write(OUT, [`${label}: ${count}`]);
  },
  countReset: (label = "default") => {
    counts.delete(String(label));
  },
  group: (...args) => {
    if (args.length > 0) write(OUT, args);
    indent += "  ";
  },
  groupCollapsed: (...args) => console.group(...args),
  groupEnd: () => {
    indent = indent.slice(2);
  },
  time: (label = "default") => {
    timers.set(String(label), performance.now());
  },
  timeLog: (label = "default", ...args) => {
    const text = elapsed(String(label));
    if (text !== null) write(OUT, [`${label}: ${text}`, ...args]);
  },
  timeEnd: (label = "default") => {
    console.timeLog(label);
    timers.delete(String(label));
  },
};

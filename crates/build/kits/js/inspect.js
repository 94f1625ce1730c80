// How values look in the log: as in Node's console, for the kinds of values that programs log.

const WIDTH = 80;
const DEPTH = 2;
const ITEMS = 100;
const ONE_LINE = 72;

export function format(args) {
  const [first, ...rest] = args;
  if (typeof first !== "string") return args.map(display).join(" ");
  let used = 0;
  const text = first.replace(/%([sdifjoOc%])/g, (whole, kind) => {
    if (kind === "%") return rest.length > 0 ? "%" : whole;
    if (used >= rest.length) return whole;
    return directive(kind, rest[used++]);
  });
  return [text, ...rest.slice(used).map(display)].join(" ");
}

function directive(kind, value) {
  switch (kind) {
    case "d":
      return typeof value === "bigint" ? `${value}n` : String(typeof value === "object" ? NaN : Number(value));
    case "i":
      return typeof value === "bigint" ? `${value}n` : String(parseInt(value));
    case "f":
      return String(parseFloat(value));
    case "j":
      return JSON.stringify(value);
    case "c":
      return "";
    case "s":
      if (typeof value === "bigint") return `${value}n`;
      if (Object.is(value, -0)) return "-0";
      return typeof value === "object" && value !== null ? inspect(value, 0) : String(value);
    default:
      return inspect(value, kind === "o" ? 4 : DEPTH);
  }
}

function display(value) {
  return typeof value === "string" ? value : inspect(value);
}

export function inspect(value, depth = DEPTH) {
  // `last` is the level of the object that was shown last.
  return show(value, { seen: [], circular: new Map(), depth, level: 0, indent: 0, shared: { last: 0 } });
}

function quote(text) {
  const mark = !text.includes("'") ? "'" : !text.includes('"') ? '"' : !text.includes("`") ? "`" : "'";
  const escaped = JSON.stringify(text).slice(1, -1).replaceAll('\\"', '"');
  return mark + (mark === "'" ? escaped.replaceAll("'", "\\'") : escaped) + mark;
}

function show(value, at) {
  switch (typeof value) {
    case "string":
      return quote(value);
    case "bigint":
      return `${value}n`;
    case "number":
      return Object.is(value, -0) ? "-0" : String(value);
    case "symbol":
      return value.toString();
    case "object":
      return value === null ? "null" : showObject(value, at);
    case "function":
      return showObject(value, at);
    default:
      return String(value);
  }
}

function className(value) {
  const proto = Object.getPrototypeOf(value);
  return proto === null ? null : (proto.constructor?.name || "Object");
}

function showObject(value, at) {
  if (at.seen.includes(value)) {
    if (!at.circular.has(value)) at.circular.set(value, at.circular.size + 1);
    return `[Circular *${at.circular.get(value)}]`;
  }
  const parts = describe(value);
  if (at.level > at.depth && parts.items === null) return parts.base;
  if (at.level > at.depth) {
    const name = className(value);
    return Array.isArray(value) ? "[Array]" : `[${name === null ? "Object: null prototype" : name}]`;
  }
  if (parts.items === null && parts.keys.length === 0) return parts.base;
  const inner = { ...at, seen: [...at.seen, value], level: at.level + 1, indent: at.indent + 2 };
  at.shared.last = at.level;
  const lines = (parts.items ? parts.items(inner) : []).concat(
    parts.keys.map((key) => showProperty(value, key, inner)),
  );
  const circular = at.circular.has(value) ? `<ref *${at.circular.get(value)}> ` : "";
  return circular + layout(parts, lines, at);
}

function showProperty(value, key, at) {
  const found = Object.getOwnPropertyDescriptor(value, key);
  const plain = typeof key === "symbol" ? `[${key.toString()}]` : key;
  const name = typeof key === "symbol" || /^[A-Za-z_$][\w$]*$/.test(key) ? plain : quote(key);
  if (found.get) return `${name}: ${found.set ? "[Getter/Setter]" : "[Getter]"}`;
  if (found.set) return `${name}: [Setter]`;
  return `${name}: ${show(found.value, at)}`;
}

// What an object is called, its brackets, its elements and its keys.
function describe(value) {
  const name = className(value);
  const keys = Reflect.ownKeys(value).filter(
    (key) => Object.getOwnPropertyDescriptor(value, key).enumerable,
  );
  const make = (base, open, close, items) => ({ base, open, close, items, keys });
  if (Array.isArray(value)) {
    const own = keys.filter((key) => typeof key === "symbol" || !/^\d+$/.test(key));
    const prefix = name === "Array" ? "" : `${name}(${value.length}) `;
    return { ...make("", `${prefix}[`, "]", (at) => elements(value, value.length, at)), keys: own };
  }
  if (ArrayBuffer.isView(value) && !(value instanceof DataView)) {
    const own = keys.filter((key) => typeof key === "symbol" || !/^\d+$/.test(key));
    return { ...make("", `${name}(${value.length}) [`, "]", (at) => elements(value, value.length, at)), keys: own };
  }
  if (value instanceof Map) {
    const items = (at) => [...value].map(([k, v]) => `${show(k, at)} => ${show(v, at)}`);
    return make("", `${name}(${value.size}) {`, "}", items);
  }
  if (value instanceof Set) {
    return make("", `${name}(${value.size}) {`, "}", (at) => [...value].map((v) => show(v, at)));
  }
  if (value instanceof Error) return make(showError(value), `${showError(value)} {`, "}", null);
  if (value instanceof Date) {
    return make(Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString(), "", "", null);
  }
  if (value instanceof RegExp) return make(String(value), `${value} {`, "}", null);
  if (value instanceof Promise) return make("Promise { <pending> }", "", "", null);
  if (typeof value === "function") {
    const isClass = /^class\b/.test(Function.prototype.toString.call(value));
    const kind = isClass ? "class" : value.constructor.name;
    const base = isClass
      ? `[class ${value.name || "(anonymous)"}]`
      : `[${kind}${value.name ? `: ${value.name}` : " (anonymous)"}]`;
    return make(base, `${base} {`, "}", null);
  }
  for (const Type of [Number, String, Boolean]) {
    if (value instanceof Type) return { ...make(`[${name}: ${show(value.valueOf(), {})}]`, "", "", null), keys: [] };
  }
  const tag = value[Symbol.toStringTag];
  const label = name === null ? "[Object: null prototype] " : name === "Object" ? "" : `${name} `;
  const extra = typeof tag === "string" && tag !== "" && tag !== name ? `[${tag}] ` : "";
  const open = `${label}${label === "" && extra ? "Object " : ""}${extra}{`;
  return make(`${open}}`, open, "}", keys.length > 0 ? () => [] : null);
}

function elements(value, length, at) {
  const shown = [];
  for (let i = 0; i < length && shown.length < ITEMS; i++) {
    let hole = 0;
    while (i + hole < length && !(i + hole in value)) hole++;
    if (hole > 0) {
      shown.push(`<${hole} empty item${hole > 1 ? "s" : ""}>`);
      i += hole - 1;
    } else shown.push(show(value[i], at));
  }
  if (length > ITEMS) shown.push(`... ${length - ITEMS} more item${length - ITEMS > 1 ? "s" : ""}`);
  return shown;
}

function showError(error) {
  const title = `${error.name}${error.message === "" ? "" : `: ${error.message}`}`;
  const stack = typeof error.stack === "string" ? error.stack.trimEnd() : "";
  let text = stack === "" ? (stack === "" ? `[${title}]` : title) : `${title}\n${stack}`;
  if (error.cause !== undefined) text += ` {\n  [cause]: ${inspect(error.cause)}\n}`;
  return text;
}

// One line when it is short and not deep, else one entry a line; long lists go into columns.
function layout(parts, lines, at) {
  const { open, close } = parts;
  if (lines.length === 0) return `${open}${close}`;
  let rows = lines;
  if (lines.length > 6 && close === "]") rows = columns(lines);
  const pad = " ".repeat(at.indent);
  if (rows === lines && at.shared.last - at.level < 3) {
    const start = lines.length + at.indent + open.length + 10;
    const total = lines.reduce((sum, line) => sum + line.length, lines.length + start);
    const joined = lines.join(", ");
    if (total <= WIDTH && !joined.includes("\n")) return `${open} ${joined} ${close}`;
  }
  return `${open}\n${pad}  ${rows.join(`,\n${pad}  `)}\n${pad}${close}`;
}

function columns(all) {
  const rest = all.at(-1).startsWith("... ") ? all.slice(-1) : [];
  const lines = rest.length > 0 ? all.slice(0, -1) : all;
  const total = lines.reduce((sum, line) => sum + line.length + 2, 0);
  const longest = Math.max(...lines.map((line) => line.length)) + 2;
  if (longest * 3 + 2 >= WIDTH && total / longest <= 5) return all;
  const bias = Math.sqrt(longest - total / lines.length);
  const wide = Math.max(longest - 3 - bias, 1);
  const count = Math.min(
    Math.round(Math.sqrt(2.5 * wide * lines.length) / wide),
    Math.floor((ONE_LINE + 8) / longest),
    12,
    15,
  );
  if (count <= 1) return all;
  const widths = [];
  for (let i = 0; i < count; i++) {
    let width = 0;
    for (let n = i; n < lines.length; n += count) width = Math.max(width, lines[n].length);
    widths.push(width + 2);
  }
  const numeric = lines.every((line) => /^-?[\d.]+(e[+-]?\d+)?n?$/.test(line));
  const rows = [];
  for (let i = 0; i < lines.length; i += count) {
    const row = lines.slice(i, i + count);
    const cells = row.map((cell, n) => {
      const last = n === row.length - 1;
      const text = last ? cell : `${cell}, `;
      if (numeric) return text.padStart(last ? widths[n] - 2 : widths[n]);
      return last ? text : text.padEnd(widths[n]);
    });
    rows.push(cells.join(""));
  }
  return rows.concat(rest);
}

// Runs one of the scripts in `api` in Node and prints its lines: node node.mjs NAME [BASE].
const [name, base] = process.argv.slice(2);
const script = await import(new URL(`api/${name}.js`, import.meta.url));
// Node does not wait for the timers of AbortSignal.timeout; the scripts do.
setInterval(() => {}, 1000);
await script.default((...values) => process.stdout.write(`${values.join(" ")}\n`), base);
process.exit(0);

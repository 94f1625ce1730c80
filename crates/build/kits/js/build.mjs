// Bundles a function with the prelude and makes it a component. Run by Node with one argument, a JSON
// object: { tools, entry, wit, dir, out, engine }. What people should read goes to standard error.
import { createRequire } from "node:module";
import { writeFile, rename } from "node:fs/promises";
import { pathToFileURL } from "node:url";

const job = JSON.parse(process.argv[2]);
const require = createRequire(`${job.tools}/package.json`);

async function bundle() {
  const esbuild = require("esbuild");
  const result = await esbuild.build({
    entryPoints: [job.entry],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    // What packages publish for runtimes like this one, before what they publish for browsers.
    conditions: ["worker", "workerd", "edge-light", "browser"],
    mainFields: ["module", "main"],
    target: "es2022",
    charset: "utf8",
    keepNames: true,
    // Not minified: it would save nothing that an instance pays for, and stacks would name one long line.
    minifySyntax: true,
    external: ["alula:js/*", "wasi:*"],
    define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
    loader: { ".html": "text", ".txt": "text", ".md": "text", ".css": "text", ".wasm": "binary" },
    absWorkingDir: job.dir,
    logLevel: "silent",
  });
  await report(esbuild, result.warnings, "warning");
  return result.outputFiles[0].text;
}

async function report(esbuild, messages, kind) {
  const texts = await esbuild.formatMessages(messages, { kind, color: Boolean(process.env.FORCE_COLOR) });
  for (const text of texts) process.stderr.write(text);
}

async function quickjs(source) {
  const { componentize } = require("componentize-qjs");
  const { component } = await componentize({ witPath: job.wit, jsSource: source, world: "function" });
  return component;
}

async function starlingmonkey(source) {
  // An ES module, which `require` does not find.
  const entry = `${job.tools}/node_modules/@bytecodealliance/componentize-js/src/componentize.js`;
  const { componentize } = await import(pathToFileURL(entry));
  const { component } = await componentize(source, { witPath: job.wit, worldName: "function" });
  return component;
}

try {
  const source = await bundle();
  // The lines that stacks in the log name.
  await writeFile(`${job.out}.js`, source);
  const component = job.engine === "starlingmonkey" ? await starlingmonkey(source) : await quickjs(source);
  await writeFile(`${job.out}.new`, component);
  await rename(`${job.out}.new`, job.out);
} catch (error) {
  if (Array.isArray(error.errors)) await report(require("esbuild"), error.errors, "error");
  else process.stderr.write(`${error?.message ?? error}\n`);
  process.exitCode = 1;
}

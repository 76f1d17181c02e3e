// Runs one TypeScript file of scripts/ or bench/: `node scripts/run-ts.mjs FILE [arguments]`. Bundled into
// dist/scripts/ by esbuild, with packages left outside.
import { mkdirSync } from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const [file, ...rest] = process.argv.slice(2);
if (file === undefined) throw new Error("usage: node scripts/run-ts.mjs FILE [arguments]");

const entry = resolve(file);
// Inside node_modules' reach, because packages are resolved from where the output stands.
const outfile = join(root, "dist", "scripts", `${basename(dirname(entry))}-${basename(entry, ".ts")}.js`);
mkdirSync(dirname(outfile), { recursive: true });
await build({
  entryPoints: [entry],
  outfile,
  bundle: true,
  platform: "node",
  target: "node20",
  format: "esm",
  packages: "external",
  sourcemap: "inline",
  logLevel: "warning",
});

process.argv.splice(1, process.argv.length - 1, entry, ...rest);
process.setSourceMapsEnabled(true);
await import(pathToFileURL(outfile).href);

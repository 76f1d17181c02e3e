// The host's own bundles: one list for `prepare` and for the test set-up, so that a test never runs
// against yesterday's host. Packages stay external: they are resolved from node_modules at run time.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";
import { makeInitialDatabase } from "./initial-database.mjs";

/** Split into chunks, so that a command loads only what it uses (the compiler above all). */
const programs = {
  cli: "runtime/cli.ts",
  parse: "runtime/parse/child.ts",
  "watch-child": "runtime/watch-child.ts",
  demo: "scripts/demo.ts",
  search: "scripts/search.ts",
  admin: "scripts/admin.ts",
  "embedded-copies": "runtime/infra/embedded-copies.ts",
  // What `groundwork/vitest` is outside this repository.
  "vitest/plugin": "runtime/vitest/plugin.ts",
  "vitest/app-config": "runtime/vitest/app-config.ts",
  "vitest/global-setup": "runtime/vitest/global-setup.ts",
  "vitest/setup-file": "runtime/vitest/setup-file.ts",
};

/** One file each, without chunks: `groundwork build` copies them into what it makes. */
const builtPrograms = {
  start: "runtime/start.ts",
  "embedded-postgres": "runtime/infra/embedded-postgres.ts",
};

/** CommonJS, because encore.dev loads it with require(). */
const nativeModule = "runtime/module/index.ts";

const common = {
  bundle: true,
  platform: "node",
  target: "node20",
  packages: "external",
  sourcemap: "linked",
  logLevel: "warning",
};

/** Builds the bundles into `<root>/dist`; throws with esbuild's own message when one does not compile. */
export async function buildHost(root) {
  const entryPoints = Object.fromEntries(
    Object.entries(programs)
      .map(([name, file]) => [name, join(root, file)])
      .filter(([, file]) => existsSync(file)),
  );
  await Promise.all([
    build({
      ...common,
      entryPoints,
      outdir: join(root, "dist"),
      format: "esm",
      splitting: true,
      chunkNames: "chunks/[name]-[hash]",
    }),
    build({
      ...common,
      entryPoints: Object.fromEntries(Object.entries(builtPrograms).map(([name, file]) => [name, join(root, file)])),
      outdir: join(root, "dist"),
      format: "esm",
    }),
    build({
      ...common,
      entryPoints: [join(root, nativeModule)],
      outfile: join(root, "dist", "native.cjs"),
      format: "cjs",
    }),
  ]);
  makeInitialDatabase(root);
}

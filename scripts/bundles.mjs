// The host's own bundles: one list for `prepare` and for the test set-up, so that a test never runs
// against yesterday's host. Packages stay external: they are resolved from node_modules at run time.
import { existsSync } from "node:fs";
import { join } from "node:path";
import { build } from "esbuild";

/** Entry → output in dist/. The native module is CommonJS because encore.dev loads it with require(). */
export const bundles = [
  { entry: "runtime/cli.ts", out: "cli.js", format: "esm" },
  { entry: "runtime/parse/child.ts", out: "parse.js", format: "esm" },
  { entry: "runtime/native/index.ts", out: "native.cjs", format: "cjs" },
  { entry: "runtime/infra/embedded-postgres.ts", out: "embedded-postgres.js", format: "esm" },
  { entry: "scripts/demo.ts", out: "demo.js", format: "esm" },
  { entry: "scripts/search.ts", out: "search.js", format: "esm" },
];

/** Builds the bundles into `<root>/dist`; throws with esbuild's own message when one does not compile. */
export async function buildHost(root, { only } = {}) {
  const wanted = bundles.filter((b) => existsSync(join(root, b.entry)) && (!only || only.includes(b.out)));
  await Promise.all(
    wanted.map((b) =>
      build({
        entryPoints: [join(root, b.entry)],
        outfile: join(root, "dist", b.out),
        bundle: true,
        platform: "node",
        target: "node20",
        format: b.format,
        packages: "external",
        sourcemap: "linked",
        logLevel: "warning",
      }),
    ),
  );
  return wanted.map((b) => b.out);
}

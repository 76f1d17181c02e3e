// Bundles a rival's program without this repository's imports, so that its start and its memory are its own.
import { basename, join } from "node:path";
import { build } from "esbuild";
import { root } from "../../runtime/http/__tests__/support/repository-root";

/** The built program of a file in this folder, to be run by any Node. */
export async function buildProgram(file: string): Promise<string> {
  const outfile = join(root, "dist/scripts", `bench-${basename(file, ".ts")}.mjs`);
  await build({
    entryPoints: [join(root, "bench/http", file)],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    packages: "external",
    logLevel: "warning",
  });
  return outfile;
}

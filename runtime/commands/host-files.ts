// Where the host's own bundles are. The commands are bundled into dist/, so the other bundles stand beside
// them; under a test runner the sources are loaded directly and dist/ is two folders up.
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const dist = basename(here) === "dist" ? here : join(here, "..", "..", "dist");

/** Folder of the package that the host belongs to. */
export const hostPackageRoot = dirname(dist);

export function hostFile(name: "cli.js" | "parse.js" | "native.cjs" | "embedded-postgres.js"): string {
  return join(dist, name);
}

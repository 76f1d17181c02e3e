// Where the host's own bundles are. The commands are bundled into dist/ (or a built app's host/), so the other
// bundles stand beside them (or above, for a shared chunk); under a test runner this very file is loaded and dist/ is beside its folder.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const dist = [here, dirname(here)].find((folder) => existsSync(join(folder, "native.cjs"))) ?? join(here, "..", "dist");

/** Folder of the package that the host belongs to. */
export const hostPackageRoot = dirname(dist);

export function hostFile(
  name:
    | "cli.js"
    | "start.js"
    | "parse.js"
    | "watch-child.js"
    | "native.cjs"
    | "embedded-postgres.js"
    | "embedded-copies.js"
    | "vitest/app-config.js",
): string {
  return join(dist, name);
}

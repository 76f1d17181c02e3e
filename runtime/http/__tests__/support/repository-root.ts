// Found by its packages: benchmarks run this file from a bundle elsewhere in the repository.
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";

function findRoot(dir: string): string {
  return existsSync(join(dir, "node_modules", "encore.dev")) ? dir : findRoot(dirname(dir));
}

export const root = findRoot(import.meta.dirname);

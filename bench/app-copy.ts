// A copy of this repository's app for a benchmark, so that what it generates and keeps is its own.
import { cpSync, mkdirSync, mkdtempSync, readdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { root } from "../runtime/http/__tests__/support/repository-root";

/** What is no part of the app: tools, what is made, and what only tests need. */
const LEFT_OUT = new Set(["__tests__", "bench", "dist", "encore.gen", "node_modules", "runtime", "scripts"]);

/** Folder of the copy; the packages are the repository's own. Whoever asked removes it. */
export function copyOfApp(): string {
  mkdirSync(join(root, ".groundwork"), { recursive: true });
  const app = mkdtempSync(join(root, ".groundwork", "bench-"));
  for (const part of readdirSync(root).filter((name) => !LEFT_OUT.has(name) && !/^\.|\.config\.ts$/.test(name)))
    cpSync(join(root, part), join(app, part), { recursive: true });
  symlinkSync(join(root, "node_modules"), join(app, "node_modules"));
  return app;
}

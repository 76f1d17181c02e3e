// A copy of this repository's app for a benchmark, so that what it generates and keeps is its own.
import { cpSync, existsSync, mkdirSync, mkdtempSync, symlinkSync } from "node:fs";
import { dirname, join } from "node:path";

function findRoot(dir: string): string {
  return existsSync(join(dir, "node_modules", "encore.dev")) ? dir : findRoot(dirname(dir));
}

/** This repository's folder; benchmarks run from a bundle elsewhere in it. */
export const root = findRoot(import.meta.dirname);

const parts = [
  "encore.app", "database.ts", "package.json", "tsconfig.json", "auth", "config", "db", "docs", "events", "generated", "migrations", "prisma", "queues", "security", "services",
  "telemetry", "vectors",
];

/** Folder of the copy; the packages are the repository's own. Whoever asked removes it. */
export function copyOfApp(): string {
  mkdirSync(join(root, ".groundwork"), { recursive: true });
  const app = mkdtempSync(join(root, ".groundwork", "bench-"));
  for (const part of parts) {
    if (existsSync(join(root, part))) cpSync(join(root, part), join(app, part), { recursive: true });
  }
  symlinkSync(join(root, "node_modules"), join(app, "node_modules"));
  return app;
}

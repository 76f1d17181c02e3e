// A copy of this repository's app for a benchmark, so that what it generates and keeps is its own.
import { cpSync, existsSync, mkdirSync, mkdtempSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { root } from "../runtime/http/__tests__/support/repository-root";

const parts = [
  "encore.app",
  "database.ts",
  "package.json",
  "tsconfig.json",
  "audit",
  "auth",
  "config",
  "db",
  "docs",
  "events",
  "generated",
  "mail",
  "migrations",
  "prisma",
  "queues",
  "secrets",
  "security",
  "services",
  "telemetry",
  "vectors",
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

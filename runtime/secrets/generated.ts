// Development secrets that nobody configured: made up once and kept, so that a fresh checkout starts with
// nothing to fill in and what it encrypted yesterday can still be read today.
import { randomBytes } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";

const SECRET_BYTES = 32;

function readKept(file: string): Record<string, string> {
  if (!existsSync(file)) return {};
  return JSON.parse(readFileSync(file, "utf8")) as Record<string, string>;
}

/** Replaces the file in one step: a reader sees the old secrets or the new ones, never half a file. */
function keep(file: string, secrets: Record<string, string>): void {
  const draft = `${file}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(secrets, null, 2) + "\n", { mode: 0o600 });
  renameSync(draft, file);
}

/** A secret for every name, taken from `stateDir/secrets.json` (mode 0600) or made and written there. */
export function generatedSecrets(stateDir: string, names: readonly string[]): Record<string, string> {
  if (names.length === 0) return {};
  const file = join(stateDir, "secrets.json");
  const kept = readKept(file);
  const missing = names.filter((name) => kept[name] === undefined);
  if (missing.length > 0) {
    for (const name of missing) kept[name] = randomBytes(SECRET_BYTES).toString("base64url");
    mkdirSync(stateDir, { recursive: true });
    keep(file, kept);
  }
  return Object.fromEntries(names.map((name) => [name, kept[name] ?? ""]));
}

// What a test file gets of its own: databases and a folder. A copy of an embedded template is made when the file first
// connects to it, so files that touch no database pay for an address only.
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ClonedDatabase, Template } from "../infra";
import { requestCopy } from "../infra/copy-client";

/** @param copies where the runner serves copies of embedded templates */
export async function databaseFor(template: Template, copies: string): Promise<ClonedDatabase> {
  if (template.kind === "embedded") return requestCopy(copies, template);
  // Loaded where it is used: every file pays for what this one imports.
  return (await import("../infra/test-databases")).cloneDatabase(template);
}

/** A private folder for what a test file's buckets keep. */
export function temporaryFolder(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), "groundwork-test-"));
  chmodSync(path, 0o700);
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

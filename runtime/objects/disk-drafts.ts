// An object grows in a file of its own beside the buckets and becomes an object by a rename: whatever breaks off
// before leaves nothing in a bucket, and no lock is held while bytes travel.
import { randomUUID } from "node:crypto";
import { existsSync, readdirSync, rmSync, statSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";

/** No upload takes that long: a draft of this age is what a killed process left. */
const ABANDONED_MS = 86_400_000;

/** Runs `work` with the path of a file that it may write; what is still there afterwards is removed. */
export async function withDraft<T>(draftsDir: string, work: (path: string) => Promise<T>): Promise<T> {
  const path = join(draftsDir, randomUUID());
  await mkdir(draftsDir, { recursive: true });
  try {
    return await work(path);
  } finally {
    await rm(path, { force: true });
  }
}

export function removeAbandonedDrafts(draftsDir: string, nowMs: number): void {
  if (!existsSync(draftsDir)) return;
  for (const name of readdirSync(draftsDir)) {
    const path = join(draftsDir, name);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found && nowMs - found.mtimeMs > ABANDONED_MS) rmSync(path, { force: true });
  }
}

// Which files are the app's own, and in which order they are read (L-2, L-3, L-4): by name, depth first,
// `encore.service.ts` before everything else in its folder.
import { join } from "node:path";
import type { FolderEntry, Files } from "./files";

export type WalkStep = { kind: "folder"; path: string } | { kind: "file"; path: string };

export const SERVICE_FILE = "encore.service.ts";

function serviceFileFirst(entries: FolderEntry[]): FolderEntry[] {
  const first = entries.filter((entry) => entry.name === SERVICE_FILE);
  return first.length ? [...first, ...entries.filter((entry) => entry.name !== SERVICE_FILE)] : entries;
}

/** Every folder and every `.ts` file below `folder`, in reading order. */
export function* walkApp(files: Files, folder: string): Generator<WalkStep> {
  yield { kind: "folder", path: folder };
  for (const entry of serviceFileFirst(files.sources(folder) ?? [])) {
    const path = join(folder, entry.name);
    if (entry.folder) yield* walkApp(files, path);
    else if (entry.file) yield { kind: "file", path };
  }
}

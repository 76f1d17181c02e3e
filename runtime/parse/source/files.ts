// The only door to the file system. It remembers what was asked and what the answer was, because that, and
// nothing else, is what a parse depends on: the cache asks the same questions again.
import { createHash } from "node:crypto";
import { readFileSync, readdirSync, realpathSync, statSync } from "node:fs";
import { isIgnored } from "./ignored";

export interface Dependencies {
  /** Path → hash of the contents; null when it could not be read. */
  files: Record<string, string | null>;
  /** Path → hash of the sorted names (folders marked) of sources in a folder; null when there is no such folder. */
  folders: Record<string, string | null>;
  /** The same with every name, for folders that are not searched for sources. */
  listings: Record<string, string | null>;
  /** Path → what stands there. */
  kinds: Record<string, Kind>;
  /** Path → where it lies when links are followed. */
  places: Record<string, string | null>;
}

export type Kind = "file" | "folder" | "none";

export interface FolderEntry {
  name: string;
  folder: boolean;
  /** An ordinary file: a link is neither. */
  file: boolean;
}

const hash = (data: Buffer | string): string => createHash("sha1").update(data).digest("base64url");

function readRaw(path: string): Buffer | null {
  try {
    return readFileSync(path);
  } catch {
    return null;
  }
}

function listRaw(path: string): FolderEntry[] | null {
  try {
    const entries = readdirSync(path, { withFileTypes: true });
    return entries
      .map((entry) => ({ name: entry.name, folder: entry.isDirectory(), file: entry.isFile() }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  } catch {
    return null;
  }
}

function kindRaw(path: string): Kind {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found) return "none";
  return found.isDirectory() ? "folder" : "file";
}

function placeRaw(path: string): string | null {
  try {
    return realpathSync(path);
  } catch {
    return null;
  }
}

/** Names that nobody looks at do not count: a new test or a README is no reason to parse again. */
const isSource = ({ name, folder }: FolderEntry): boolean => !isIgnored(name) && (folder || name.endsWith(".ts"));

function listHash(entries: FolderEntry[] | null): string | null {
  const kind = (entry: FolderEntry): string => (entry.folder ? "/" : entry.file ? "" : "@");
  return entries && hash(entries.map((entry) => entry.name + kind(entry)).join("\0"));
}

export class Files {
  readonly dependencies: Dependencies = { files: {}, folders: {}, listings: {}, kinds: {}, places: {} };

  read(path: string): string | null {
    const data = readRaw(path);
    this.dependencies.files[path] = data && hash(data);
    return data === null ? null : data.toString("utf8").replace(/^\uFEFF/, "");
  }

  /** The sources and folders in a folder, sorted by code unit; null when it is not a folder. */
  sources(path: string): FolderEntry[] | null {
    const entries = listRaw(path)?.filter(isSource) ?? null;
    this.dependencies.folders[path] = listHash(entries);
    return entries;
  }

  /** Everything in a folder, sorted by code unit; null when it is not a folder. */
  list(path: string): FolderEntry[] | null {
    const entries = listRaw(path);
    this.dependencies.listings[path] = listHash(entries);
    return entries;
  }

  kind(path: string): Kind {
    return (this.dependencies.kinds[path] ??= kindRaw(path));
  }

  /** The path with links followed; null when nothing is there. */
  place(path: string): string | null {
    return (this.dependencies.places[path] ??= placeRaw(path));
  }

  isFile(path: string): boolean {
    return this.kind(path) === "file";
  }

  isFolder(path: string): boolean {
    return this.kind(path) === "folder";
  }
}

/** Whether every question that a parse asked has the same answer today. */
export function unchanged(dependencies: Dependencies): boolean {
  for (const [path, kind] of Object.entries(dependencies.kinds)) if (kindRaw(path) !== kind) return false;
  for (const [path, place] of Object.entries(dependencies.places)) if (placeRaw(path) !== place) return false;
  for (const [path, names] of Object.entries(dependencies.folders))
    if (listHash(listRaw(path)?.filter(isSource) ?? null) !== names) return false;
  for (const [path, names] of Object.entries(dependencies.listings))
    if (listHash(listRaw(path)) !== names) return false;
  for (const [path, contents] of Object.entries(dependencies.files)) {
    const data = readRaw(path);
    if ((data && hash(data)) !== contents) return false;
  }
  return true;
}

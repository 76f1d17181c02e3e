// What an app says about its own parse, in the `groundwork` part of its package.json.
import { join } from "node:path";
import type { Files } from "../source/files";

/** `package.json#groundwork.extended`: accept types that Encore refuses (docs/adr/0002). */
export function isExtended(files: Files, root: string): boolean {
  try {
    const parsed = JSON.parse(files.read(join(root, "package.json")) ?? "null") as {
      groundwork?: { extended?: unknown };
    } | null;
    return parsed?.groundwork?.extended === true;
  } catch {
    return false;
  }
}

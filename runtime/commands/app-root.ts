// Which app a command works on, and where its state lives.
import { existsSync } from "node:fs";
import { dirname, isAbsolute, join, resolve } from "node:path";

export class UsageError extends Error {
  override name = "UsageError";
}

/** `--app DIR`, or the nearest folder upwards that holds encore.app (L-1). */
export function findAppRoot(explicit: string | undefined, from = process.cwd()): string {
  if (explicit !== undefined) {
    const root = resolve(from, explicit);
    if (!existsSync(join(root, "encore.app")))
      throw new UsageError(`${root} has no encore.app: --app must name the folder that holds it`);
    return root;
  }
  for (let folder = from; ; folder = dirname(folder)) {
    if (existsSync(join(folder, "encore.app"))) return folder;
    if (folder === dirname(folder))
      throw new UsageError(`no encore.app in ${from} or above it: go to your app's folder, or name it with --app DIR`);
  }
}

/** `GROUNDWORK_STATE_DIR` (relative to the app root), by default `.groundwork`. */
export function stateDirOf(root: string, env: NodeJS.ProcessEnv): string {
  const named = env.GROUNDWORK_STATE_DIR;
  if (!named) return join(root, ".groundwork");
  return isAbsolute(named) ? named : join(root, named);
}

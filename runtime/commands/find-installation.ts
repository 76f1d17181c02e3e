// Which installation a command means: `--dir DIR` a built folder, else the app in its sources.
import { findAppRoot, stateDirOf } from "./app-root";
import type { CommandInput } from "./command-input";
import { builtInstallation, type Installation } from "./installation";
import { parseForCommand } from "./parse-app";

/** @throws UsageError, ParseFailure */
export async function findInstallation({ flags, env }: CommandInput): Promise<Installation> {
  if (flags.dir !== undefined) return builtInstallation(flags.dir, env);
  const root = findAppRoot(flags.app);
  return { root, stateDir: stateDirOf(root, env), model: (await parseForCommand(root)).model };
}

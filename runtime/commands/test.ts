// `groundwork test`: vitest on the app's tests. The environment is the plugin's work (vitest/plugin.ts), so a runner
// started otherwise has it as well; here it is added for apps whose configuration does not name it.
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { findAppRoot, UsageError } from "./app-root";
import { hostFile } from "../host-files";
import type { CommandInput } from "./command-input";

/** The vitest that the tests themselves import, which must be the one that runs them. */
function vitestOf(root: string): string {
  for (let folder = root, above = ""; folder !== above; above = folder, folder = dirname(folder)) {
    const home = join(folder, "node_modules", "vitest");
    if (!existsSync(join(home, "package.json"))) continue;
    const { bin } = JSON.parse(readFileSync(join(home, "package.json"), "utf8")) as { bin: Record<string, string> };
    return join(home, bin.vitest ?? "vitest.mjs");
  }
  throw new UsageError(`vitest is not installed for ${root}: npm install --save-dev vitest`);
}

/** Arguments after `--` go to vitest, which runs once unless they ask to watch. */
export async function test({ flags, rest, env }: CommandInput): Promise<void> {
  const root = findAppRoot(flags.app);
  const child = spawn(
    process.execPath,
    [vitestOf(root), "run", "--root", root, "--config", hostFile("vitest/app-config.js"), ...rest],
    {
      cwd: root,
      stdio: "inherit",
      env: { ENCORE_RUNTIME_LOG: "error", ...env, GROUNDWORK_TEST_ROOT: root }, // no line per request (V-2)
    },
  );
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", (code) => resolve(code ?? 1));
  });
}

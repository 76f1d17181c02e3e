// An app whose event loop is watched: what the longest time is that its thread ran without a pause.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startApp, type AppOptions, type AppProcess } from "./app-process";
import { holding, watchdogAt } from "./event-loop";

const WATCHDOG = join(import.meta.dirname, "../../../__tests__/whole-app/support/watchdog.mjs");

export interface WatchedApp extends AppProcess {
  /** Does `act`; says how long it holds the event loop, when that is too long. */
  held(act: () => Promise<void>): Promise<string | undefined>;
}

export async function startWatchedApp(appDir: string, options: AppOptions = {}): Promise<WatchedApp> {
  const dir = mkdtempSync(join(tmpdir(), "gw-watched-"));
  const file = join(dir, "watchdog");
  const env = {
    ...options.env,
    NODE_OPTIONS: `--import ${WATCHDOG}`,
    WATCHDOG_FILE: file,
    WATCHDOG_PROGRAM: ".mjs",
  };
  const app = await startApp(appDir, { ...options, env });
  if (!existsSync(file)) throw new Error("the watchdog did not start");
  const watchdog = watchdogAt(readFileSync(file, "utf8"));
  return {
    ...app,
    async held(act) {
      const { ms, isHeld } = await holding(watchdog, act);
      return isHeld ? `${Math.round(ms)} ms` : undefined;
    },
    async stop() {
      await app.stop();
      rmSync(dir, { recursive: true });
    },
  };
}

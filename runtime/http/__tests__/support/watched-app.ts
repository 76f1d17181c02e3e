// An app whose event loop is watched: what the longest time is that its thread ran without a pause.
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { availableParallelism, loadavg, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startApp, type AppOptions, type AppProcess } from "./app-process";

const WATCHDOG = join(import.meta.dirname, "../../../__tests__/whole-app/support/watchdog.mjs");

/** As in whole-app/support/event-loop.ts. */
export const HELD_MAX_MS = loadavg()[0]! > 2 * availableParallelism() ? 100 : 50;
const ATTEMPTS = 5;

export interface WatchedApp extends AppProcess {
  /** The least that `act` holds the event loop: compiling and collecting garbage come in between now and then. */
  heldMs(act: () => Promise<void>): Promise<number>;
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
  const watchdog = `http://127.0.0.1:${readFileSync(file, "utf8")}`;
  const longest = async (): Promise<number> => Number(await (await fetch(watchdog)).text());
  return {
    ...app,
    async heldMs(act) {
      let least = Infinity;
      for (let attempt = 0; attempt < ATTEMPTS && least >= HELD_MAX_MS; attempt++) {
        await longest();
        await act();
        await sleep(6);
        least = Math.min(least, await longest());
      }
      return least;
    },
    async stop() {
      await app.stop();
      rmSync(dir, { recursive: true });
    },
  };
}

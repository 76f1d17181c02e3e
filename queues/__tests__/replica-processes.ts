// Two processes of the app on one native database, their clocks 30 seconds apart, with the service of fixtures/replica in them.
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll } from "vitest";
import { copyOfApp } from "../../bench/app-copy";
import { served, spawnApp, type AppProcess } from "../../bench/app-process";
import { AppDB } from "../../database";
import { masterKeyOfTests } from "../../security/derived-key";
import { stopWorkers } from "../start";

const FIXTURE = join(import.meta.dirname, "fixtures", "replica");

/** They run while this file's tests do; those that are there before its first test begins. */
export function runReplicas(): readonly AppProcess[] {
  const folder = copyOfApp();
  cpSync(join(FIXTURE, "replica"), join(folder, "replica"), { recursive: true });
  const replicas: AppProcess[] = [];

  beforeAll(async () => {
    for (const byMs of [-15_000, 15_000]) {
      const env = {
        DATABASE_URL: AppDB.connectionString,
        MasterKey: masterKeyOfTests?.() ?? "",
        GROUNDWORK_STATE_DIR: join(folder, `.state${byMs}`),
        GROUNDWORK_TEST_CLOCK_MS: String(byMs),
        NODE_ENV: "development",
        REDIS_URL: undefined,
      };
      replicas.push(await served(spawnApp(folder, ["--import", join(FIXTURE, "shifted-clock.mjs")], env)));
    }
  });

  afterAll(async () => {
    await Promise.all(replicas.filter(({ child }) => child.signalCode === null).map((replica) => replica.stop()));
    await stopWorkers(true);
    rmSync(folder, { recursive: true, force: true });
  });
  return replicas;
}

// What a service that keeps data does when it is loaded: ask whether the database may be used at all, before the
// first request does. Every use asks as well (connection.ts), so nothing is served in the meantime.
import { appMeta } from "encore.dev";
import { cfg } from "../config";
import { logger } from "../telemetry/logger";
import { registerProbe } from "../telemetry/probes";
import { isDraining } from "../telemetry/shutdown";
import { useMasterKey } from "./capability";
import { INSTALLATION } from "./store";
import { askAgain, isolation } from "./connection";
import { DbError } from "./errors";
import { claimRedis } from "./redis-claim";
import { systemQuery } from "./tenant";
import { tellOfUnopened, type SealedRows } from "./master-keys";

const ASK_AGAIN_MS = 500;
/** A master key that is retired while a process runs is noticed so soon. */
const WATCH_MS = 30_000;
let hasStarted = false;
const counts: (() => Promise<SealedRows[]>)[] = [];

/**
 * Called by each encore.service.ts whose service keeps data, with the secret MasterKey, which only a service may read.
 * Production ends, with the remedy, on a database that isolation does not hold for. `countSealed` tells what of the
 * service's rows which master key has sealed: what no key opens is named at start.
 */
export function startDatabase(masterKey: () => string, countSealed?: () => Promise<SealedRows[]>): void {
  // A test file asks for its database when it uses one.
  if (cfg.env === "test") return;
  if (countSealed) counts.push(countSealed);
  if (hasStarted) return;
  hasStarted = true;
  useMasterKey(masterKey);
  const end = (code: number): void => process.exit(code);
  void refuseUnsafe(end).then(async (isSafe) => {
    if (!isSafe) return;
    // In development too: it would go on taking the other one's work.
    void refuseUnsafe(end, claimSharedRedis, true);
    await nameUnopened(counts);
    await watchMasterKey(end);
  });
}

/** What is in Redis is this installation's alone. */
async function claimSharedRedis(): Promise<void> {
  const url = cfg.redisUrl;
  if (url === undefined) return;
  const [row] = await systemQuery<{ installation: string }>("whose-redis-it-is", INSTALLATION);
  if (row !== undefined) await claimRedis({ url, appId: appMeta().appId, installation: row.installation });
}

/** Asks until the database has answered; false when it may not be used. Exported for its test. */
export async function refuseUnsafe(
  end: (code: number) => void,
  ask: () => Promise<unknown> = isolation,
  isProduction = cfg.env === "production",
): Promise<boolean> {
  for (let isFirst = true; !isDraining(); isFirst = false) {
    try {
      await ask();
      return true;
    } catch (err) {
      if (refuse(err, end, isProduction)) return false;
      if (isFirst) logger("db").warn({ err }, "the database, or Redis beside it, cannot be asked yet: asked again");
      // Away: it may come. Readiness says so meanwhile.
      await pause(ASK_AGAIN_MS);
    }
  }
  return false;
}

/** Ends a process whose master key was retired: it would see nothing from then on. Exported for its test. */
export async function watchMasterKey(
  end: (code: number) => void,
  ask: () => Promise<unknown> = askAgain,
  isProduction = cfg.env === "production",
  everyMs = WATCH_MS,
): Promise<void> {
  while (!isDraining()) {
    await pause(everyMs);
    try {
      await ask();
    } catch (error) {
      if (refuse(error, end, isProduction)) return;
    }
  }
}

/** Exported for its test. */
export async function nameUnopened(ofServices: readonly (() => Promise<SealedRows[]>)[]): Promise<void> {
  for (const count of ofServices)
    await count().then(tellOfUnopened, (error: unknown) =>
      logger("db").warn({ err: error }, "what is sealed with which master key could not be counted"),
    );
}

/** Whether it is a database that may not be used as it is. */
function refuse(error: unknown, end: (code: number) => void, isProduction: boolean): boolean {
  if (!(error instanceof DbError) || error.kind !== "misuse") return false;
  logger("db").error({ err: error }, "the database, or Redis beside it, may not be used as it is");
  registerProbe("isolation", () => Promise.reject(error));
  if (isProduction) end(1);
  return true;
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => void setTimeout(resolve, ms).unref());

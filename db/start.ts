// What a service that keeps data does when it is loaded: ask whether the database may be used at all, before the
// first request does. Every use asks as well (connection.ts), so nothing is served in the meantime.
import { cfg } from "../config";
import { logger } from "../telemetry/logger";
import { registerProbe } from "../telemetry/probes";
import { isDraining } from "../telemetry/shutdown";
import { useMasterKey } from "./capability";
import { isolation } from "./connection";
import { DbError } from "./errors";

const ASK_AGAIN_MS = 500;
let hasStarted = false;

/**
 * Called by each encore.service.ts whose service keeps data, with the secret MasterKey, which only a service may read.
 * Production ends, with the remedy, on a database that isolation does not hold for.
 */
export function startDatabase(masterKey: () => string): void {
  // A test file asks for its database when it uses one.
  if (hasStarted || cfg.env === "test") return;
  hasStarted = true;
  useMasterKey(masterKey);
  void refuseUnsafe((code) => process.exit(code));
}

/** Asks until the database has answered. Exported for its test. */
export async function refuseUnsafe(
  end: (code: number) => void,
  ask = isolation,
  isProduction = cfg.env === "production",
): Promise<void> {
  while (!isDraining()) {
    try {
      await ask();
      return;
    } catch (error) {
      if (error instanceof DbError && error.kind === "misuse") {
        logger("db").error({ err: error }, "the database may not be used as it is");
        registerProbe("isolation", () => Promise.reject(error));
        if (isProduction) end(1);
        return;
      }
      // Away: it may come. Readiness says so meanwhile.
      await new Promise((resolve) => setTimeout(resolve, ASK_AGAIN_MS).unref());
    }
  }
}

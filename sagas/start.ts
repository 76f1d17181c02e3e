// What runs in the background where sagas are driven: a look at those that are overdue, while the process is ready.
import { appMeta } from "encore.dev";
import { cfg } from "../config";
import { systemQuery } from "../db/tenant";
import { isReadyForWork } from "../events/work-gate";
import { logger } from "../telemetry/logger";
import { observeGauge } from "../telemetry/metrics";
import { onShutdown } from "../telemetry/shutdown";
import { listenForCancels } from "./cancel-notice";
import { SAGAS_OPEN } from "./store/upkeep";
import { driveOverdue } from "./upkeep";
import { knownSagas } from "./worker";

const LOOK_MS = 15_000;
let isStarted = false;

/** Called by each encore.service.ts whose service registers sagas. Tests look by themselves. */
export function startSagas(): void {
  if (isStarted || cfg.env === "test") return;
  isStarted = true;
  let timer: NodeJS.Timeout | undefined;
  const look = (): void => {
    void lookOnce()
      .catch((error: unknown) => logger("sagas").warn({ err: error }, "overdue sagas could not be looked for"))
      .finally(() => (timer = setTimeout(look, LOOK_MS).unref()));
  };
  timer = setTimeout(look, 0).unref();
  onShutdown("sagas", () => clearTimeout(timer));
}

/** Reports how many are open, where the service itself is hosted. */
export function reportSagas(): void {
  observeGauge("sagas_open", async () => {
    const rows = await systemQuery<{ state: string; count: number }>("metrics-sagas", SAGAS_OPEN);
    const counts = new Map(rows.map(({ state, count }) => [state, count]));
    return ["running", "compensating", "stuck"].map((state) => ({
      value: counts.get(state) ?? 0,
      labels: { state },
    }));
  });
}

async function lookOnce(): Promise<void> {
  const hosted = appMeta().deploy.hostedServices;
  const mine = knownSagas().filter(({ name }) => (name.split(":")[0] ?? "") in hosted);
  if (mine.length === 0 || !(await isReadyForWork())) return;
  await listenForCancels().catch((error: unknown) =>
    logger("sagas").warn({ err: error }, "the bus does not tell of cancellations: they take up to two seconds"),
  );
  await driveOverdue(mine);
}

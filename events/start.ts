// What runs in the background of this service.
import { appMeta } from "encore.dev";
import { cfg } from "../config";
import { systemQuery } from "../db/tenant";
import type { SystemReason } from "../security/system-reasons";
import { observeGauge } from "../telemetry/metrics";
import { onShutdown } from "../telemetry/shutdown";
import { createRelay, type Relay } from "./relay";
import { onRelaySignal } from "./signal";
import { deadLetters } from "./store/dead-letter";
import { OUTBOX_DEPTH } from "./store/outbox";
import { isReadyForWork } from "./work-gate";

/** Starts the relay where the process hosts the service. Tests make relays of their own. */
export function startEvents(): void {
  if (cfg.env !== "test" && "events" in appMeta().deploy.hostedServices) startRelay();
}

/** Starts a relay that commits of this process wake. */
export function startRelay(): Relay {
  const relay = createRelay({ isReady: isReadyForWork });
  onRelaySignal((destination) => relay.wake(destination));
  onShutdown("relay", () => relay.stop());
  observeGauge("outbox_depth", () => depthOf("metrics-outbox-depth", OUTBOX_DEPTH));
  observeGauge("dead_letters", async () => [
    { value: await depthOf("metrics-event-dead-letters", deadLetters.depth), labels: { source: "events" } },
  ]);
  relay.start();
  return relay;
}

async function depthOf(reason: SystemReason, statement: string): Promise<number> {
  const [row] = await systemQuery<{ depth: number }>(reason, statement);
  return row?.depth ?? 0;
}

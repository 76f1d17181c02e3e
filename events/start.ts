// What runs in the background of this service.
import { appMeta } from "encore.dev";
import { cfg } from "../config";
import { systemQuery } from "../db/tenant";
import type { SystemReason } from "../security/system-reasons";
import { observeGauge } from "../telemetry/metrics";
import { logger } from "../telemetry/logger";
import { onShutdown } from "../telemetry/shutdown";
import { declarations, READ_EVERY_MS } from "./declarations";
import { offerFilter } from "./delivery-filter";
import { direct } from "./direct-delivery";
import { startHoldRelease } from "./hold-release";
import { registerKafka } from "./kafka/destination";
import { createRelay, type Relay } from "./relay";
import { onRelaySignal } from "./signal";
import { deadLetters } from "./store/dead-letter";
import { HELD_DEPTHS } from "./store/hold";
import { OUTBOX_DEPTH } from "./store/outbox";
import type { DomainEvent } from "./topic";
import { isReadyForWork } from "./work-gate";

/** Starts the relay where the process hosts the service. Tests make relays of their own. */
export function startEvents(): void {
  startConsumers();
  if (cfg.events.kafka) registerKafka(cfg.events.kafka);
  if (cfg.env !== "test" && "events" in appMeta().deploy.hostedServices) startRelay();
}

/** While the database has not answered yet. */
const ASK_AGAIN_MS = 500;
let hasConsumers = false;

/**
 * Called by each encore.service.ts whose service has subscriptions: declares the consumers of this process for as long
 * as it lives, and tells the host which subscriptions a message is for. Tests do it by their own.
 */
export function startConsumers(): void {
  if (hasConsumers || cfg.env === "test") return;
  hasConsumers = true;
  const isFor = (consumer: string, { id }: DomainEvent): boolean => !direct.hasHad(consumer, id);
  offerFilter(
    (consumer, message) => isFor(consumer, message) && declarations.isWanted(consumer, message),
    (message) => declarations.wantedElsewhere(message).filter((consumer) => isFor(consumer, message)),
  );
  let timer: NodeJS.Timeout | undefined;
  const exchange = (): void => {
    void declarations
      .refresh()
      .catch((error: unknown) => logger("events").warn({ err: error }, "what consumers declare could not be read"))
      .finally(() => {
        timer = setTimeout(exchange, declarations.isKnown() ? READ_EVERY_MS : ASK_AGAIN_MS);
        timer.unref();
      });
  };
  // When all modules are loaded, and with them all consumers.
  timer = setTimeout(exchange, 0);
  // By then relays of other processes know the consumers of this one, and note what they send them by the topic.
  const directTimer = setTimeout(() => direct.turn(true), 2 * READ_EVERY_MS).unref();
  onShutdown("consumer declarations", async () => {
    clearTimeout(timer);
    clearTimeout(directTimer);
    direct.turn(false);
  });
}

/** Starts a relay that commits of this process wake. */
export function startRelay(): Relay {
  const isReady = async (): Promise<boolean> => declarations.isKnown() && (await isReadyForWork());
  const relay = createRelay({ isReady });
  onRelaySignal((destination) => relay.wake(destination));
  const stopRelease = startHoldRelease(isReady);
  onShutdown("relay", async () => void (await Promise.all([relay.stop(), stopRelease()])));
  observeGauge("outbox_depth", () => depthOf("metrics-outbox-depth", OUTBOX_DEPTH));
  observeGauge("dead_letters", async () => [
    { value: await depthOf("metrics-event-dead-letters", deadLetters.depth), labels: { source: "events" } },
  ]);
  observeGauge("events_held", async () =>
    (await heldDepths()).map(({ consumer, waiting }) => ({ value: waiting, labels: { consumer } })),
  );
  observeGauge("events_held_oldest_seconds", async () =>
    (await heldDepths()).map(({ consumer, oldestSeconds }) => ({ value: oldestSeconds, labels: { consumer } })),
  );
  observeGauge("consumers_paused", async () =>
    (await heldDepths()).filter(({ isPaused }) => isPaused).map(({ consumer }) => ({ value: 1, labels: { consumer } })),
  );
  relay.start();
  return relay;
}

interface HeldDepth {
  consumer: string;
  waiting: number;
  oldestSeconds: number;
  isPaused: boolean;
}

const heldDepths = (): Promise<HeldDepth[]> => systemQuery("metrics-held-events", HELD_DEPTHS);

async function depthOf(reason: SystemReason, statement: string): Promise<number> {
  const [row] = await systemQuery<{ depth: number }>(reason, statement);
  return row?.depth ?? 0;
}

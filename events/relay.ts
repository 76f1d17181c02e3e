// The relay: moves committed outbox rows to where they are going, at least once and in order per aggregate. One loop for
// each destination (destination-loop.ts). Killed anywhere: the lease of what it holds runs out and another claims it;
// what was handed over but not yet marked goes out twice, under the same id. NOTIFY is not used: it serialises commits
// on native Postgres, does not arrive on the embedded one, and a poll of one index a second costs less.
import { cfg } from "../config";
import type { Backoff } from "../db/backoff";
import { DestinationLoop, type LoopOptions } from "./destination-loop";
import { destinationNames, onDestination } from "./destinations";

export interface RelayOptions extends Partial<LoopOptions> {
  /** Serves these only; absent = all that are registered, also later. */
  destinations?: readonly string[];
}

export interface Relay {
  start(): void;
  /** Looks for work at once: of one destination, or of all. */
  wake(destination?: string): void;
  /** Begins nothing more; resolves when what is at hand is settled, after two seconds of waiting at most. */
  stop(): Promise<void>;
  /** Claims, publishes and settles one batch of each destination; resolves with the number of rows claimed. */
  runOnce(): Promise<number>;
}

/** A replay waits as long before it looks what was published: migration 44. */
export const LEASE_MS = 30_000;
/** Some twenty minutes of the back-off below. */
const MAX_ATTEMPTS = 30;
/** Of a backlog: more make other organisations wait longer. */
const DEPTH = 4;
const ROW_BACKOFF: Backoff = { firstMs: 200, maxMs: 60_000 };

export function createRelay(options: RelayOptions = {}): Relay {
  const isServed = (name: string): boolean => options.destinations?.includes(name) ?? true;
  const names = (): string[] => destinationNames().filter(isServed);
  const settings: LoopOptions = {
    batch: options.batch ?? cfg.events.relayBatch,
    depth: options.depth ?? DEPTH,
    tenantsMax: options.tenantsMax ?? 50,
    pollMs: options.pollMs ?? cfg.events.relayPollMs,
    leaseMs: options.leaseMs ?? LEASE_MS,
    concurrency: options.concurrency ?? 8,
    backoff: options.backoff ?? ROW_BACKOFF,
    maxAttempts: options.maxAttempts ?? MAX_ATTEMPTS,
    isReady: options.isReady ?? (() => Promise.resolve(true)),
    random: options.random ?? Math.random,
  };
  const loops = new Map<string, DestinationLoop>();
  const loopOf = (name: string): DestinationLoop => {
    const loop = loops.get(name) ?? new DestinationLoop(name, settings);
    loops.set(name, loop);
    return loop;
  };
  let unfollow: (() => void) | undefined;
  return {
    start() {
      const startAll = (): void => {
        for (const name of names()) loopOf(name).start();
      };
      unfollow ??= onDestination(startAll);
      startAll();
    },
    wake(destination) {
      if (destination === undefined) for (const loop of loops.values()) loop.wake();
      else loops.get(destination)?.wake();
    },
    async stop() {
      unfollow?.();
      unfollow = undefined;
      await Promise.all([...loops.values()].map((loop) => loop.stop()));
    },
    async runOnce() {
      const claimed = await Promise.all(names().map((name) => loopOf(name).runOnce()));
      return claimed.reduce((sum, rows) => sum + rows, 0);
    },
  };
}

// The end of dead letters: whoever wants one looks at it, redrives or discards it within ninety days, as with the app's own. Of
// subscriptions that the app has no more too: nobody would ever ask for them.
import type { HostLog } from "../host";
import { defaultTimings, type Broker, type BrokerTimings } from "./broker";

/** At once; each is a short transaction. */
const BATCH = 1_000;

/** Removes those that are older; resolves with how many. */
export async function purgeDeadLetters(broker: Broker, olderThanMs: number): Promise<number> {
  let removed = 0;
  for (const name of await broker.queueNames()) {
    const queue = await broker.queue(name);
    for (let gone = BATCH; gone === BATCH; removed += gone)
      gone = (await queue.clean(olderThanMs, BATCH, "failed")).length;
  }
  return removed;
}

/** Purges every hour while it runs, in each process that consumes: what one has removed another does not find. */
export class DeadLetterUpkeep {
  readonly #broker: Broker;
  readonly #timings: BrokerTimings;
  readonly #log: HostLog;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(broker: Broker, log: HostLog, timings: BrokerTimings = defaultTimings) {
    this.#broker = broker;
    this.#timings = timings;
    this.#log = log;
  }

  start(): void {
    this.#timer ??= setInterval(() => void (this.#running ??= this.#run()), this.#timings.upkeepMs).unref();
  }

  /** Resolves when a purge that is under way has ended. */
  async stop(): Promise<void> {
    clearInterval(this.#timer);
    this.#timer = undefined;
    await this.#running;
  }

  async #run(): Promise<void> {
    try {
      const count = await purgeDeadLetters(this.#broker, this.#timings.deadLetterKeepMs);
      if (count > 0) this.#log.info("old dead letters of subscriptions were removed", { count });
    } catch (error) {
      this.#log.error("old dead letters of subscriptions could not be removed; it is tried again", error, {});
    } finally {
      this.#running = undefined;
    }
  }
}

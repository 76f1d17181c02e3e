// A run: lanes that take the plan's steps one after the other, each a fault in the middle of work, and, when no fault comes any
// more, the wait until all of it is done.
import { setTimeout as delay } from "node:timers/promises";
import { check, type History, type Verdict } from "./checker";
import { Driver } from "./driver";
import { Faults } from "./faults";
import { Ledger } from "./ledger";
import type { PlannedIntent, Step } from "./plan";
import type { World } from "./world";

export interface RunOptions {
  /** Steps at once, so that faults meet each other's consequences. */
  readonly lanes: number;
  readonly onStep?: (done: number) => void;
}

export interface Outcome {
  readonly history: History;
  readonly verdict: Verdict;
  /** The longest that an event or a job took before the first fault: what this machine, with all else that it does, is able to. */
  readonly quietWaitMs: number;
  readonly seconds: number;
}

const LOOK_MS = 30;
/** A lane goes on after so long, whether or not its own events had their effect: the checker measures. */
const FIRST_EFFECT_LIMIT_MS = 3_000;
/** All leases and locks (30, 20, 15 and 10 s), one after the other, and what is tried again behind them. */
export const SETTLE_LIMIT_MS = 150_000;

async function within(limitMs: number, everyMs: number, holds: () => Promise<boolean>): Promise<boolean> {
  for (const until = performance.now() + limitMs; performance.now() < until; await delay(everyMs))
    // A server that is just being crashed does not answer.
    if (await holds().catch(() => false)) return true;
  return false;
}

export async function historyOf(world: World, ledger: Ledger): Promise<History> {
  const { faults } = ledger;
  return {
    intents: [...ledger.intents.values()],
    effects: await world.effects(),
    payments: world.payments.made,
    faults,
  };
}

/** Resolves when everything is done, or nothing more is waited for. */
export async function settle(world: World, ledger: Ledger, limitMs = SETTLE_LIMIT_MS): Promise<History> {
  const isDone = async (): Promise<boolean> => {
    const { findings } = check(await historyOf(world, ledger));
    const open = findings.some(({ kind }) => /^(?:lost|stuck|unanswered)/.test(kind));
    return !open && (await world.isEmpty());
  };
  await within(limitMs, 500, isDone);
  return historyOf(world, ledger);
}

const QUIET_ROUNDS = 10;

class Lanes {
  readonly ledger: Ledger;
  private readonly driver: Driver;
  private readonly faults: Faults;
  private done = 0;
  private next = 0;

  constructor(
    private readonly world: World,
    private readonly plan: readonly Step[],
    private readonly options: RunOptions,
  ) {
    this.ledger = new Ledger(world.ledgerFile);
    this.driver = new Driver(world, this.ledger);
    this.faults = new Faults(world, this.ledger);
  }

  async quietWaitMs(): Promise<number> {
    let longestMs = 0;
    for (let round = 0; round < QUIET_ROUNDS; round++) {
      const sentAtMs = performance.now();
      const ids = await this.askFor(PROBE);
      await within(SETTLE_LIMIT_MS, LOOK_MS, async () => (await this.world.effectsOn(ids)).size === PROBE.length);
      longestMs = Math.max(longestMs, performance.now() - sentAtMs);
    }
    return longestMs;
  }

  async run(): Promise<void> {
    const lane = async (): Promise<void> => {
      for (let step = this.plan[this.next++]; step !== undefined; step = this.plan[this.next++]) {
        await this.perform(step);
        this.options.onStep?.(++this.done);
      }
    };
    const lanes = Array.from({ length: this.options.lanes }, lane);
    try {
      await Promise.all(lanes);
    } catch (error) {
      this.next = this.plan.length;
      await Promise.allSettled(lanes);
      throw error;
    }
    await this.faults.settled();
    // A long pause may end as the last of all: something is to be sent after it, too.
    await this.askFor(PROBE);
  }

  private async askFor(intents: readonly PlannedIntent[]): Promise<string[]> {
    const taken = await Promise.all(intents.map((intent) => this.driver.take(intent)));
    return taken.map(({ id }) => id);
  }

  private async perform(step: Step): Promise<void> {
    const before = step.before.map((intent) => this.driver.take(intent));
    const others = Promise.all(before);
    others.catch(() => undefined);
    // One is answered: the others are under way, and its effect is.
    await Promise.race(before);
    await this.faults.inflict(step, async () => void (await this.askFor(step.during)));
    const after = await this.askFor(step.after);
    await others;
    await within(FIRST_EFFECT_LIMIT_MS, LOOK_MS, async () => {
      const seen = await this.world.effectsOn(after);
      return seen.has("event") && seen.has("job");
    });
  }
}

const TENANT = "00000000-0000-7000-8000-000000000001";
const PROBE: readonly PlannedIntent[] = [
  { kind: "event", tenant: TENANT, subject: "probe" },
  { kind: "job", tenant: TENANT, subject: "probe" },
];

export async function simulate(world: World, plan: readonly Step[], options: RunOptions): Promise<Outcome> {
  const lanes = new Lanes(world, plan, options);
  const quietWaitMs = await lanes.quietWaitMs();
  const startedAtMs = performance.now();
  await lanes.run();
  const history = await settle(world, lanes.ledger);
  const verdict = check(history);
  return { history, verdict, quietWaitMs, seconds: (performance.now() - startedAtMs) / 1000 };
}

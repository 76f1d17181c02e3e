// The scheduler's clock for transactions that idle while others wait, with a scripted engine and no real time.
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { Engine } from "../embedded/engine";
import { code, simpleQuery, type Frame } from "../embedded/frames";
import { Scheduler } from "../embedded/scheduler";
import { Session } from "../embedded/session";

const idleOwnerMs = 20_000;

const ready = (status: "I" | "T"): Frame => ({
  type: code("Z"),
  bytes: Buffer.from([code("Z"), 0, 0, 0, 5, status.charCodeAt(0)]),
});

/** Answers as Postgres does, as far as a transaction is open or not. */
function scriptedEngine(): Engine {
  let open = false;
  const run = (bytes: Buffer): Promise<Frame[]> => {
    const text = bytes.toString("latin1").toLowerCase();
    if (text.includes("begin")) open = true;
    if (text.includes("commit") || text.includes("rollback")) open = false;
    return Promise.resolve([ready(open ? "T" : "I")]);
  };
  return {
    run,
    ask: () => Promise.resolve([]),
    become: () => Promise.resolve(),
    asOwner: <T>(work: () => Promise<T>) => work(),
  } as unknown as Engine;
}

class Client {
  ended = false;
  answers = 0;
  readonly session = new Session(
    () => void this.answers++,
    () => {
      this.ended = true;
    },
    "app",
  );

  constructor(private readonly scheduler: Scheduler) {
    scheduler.add(this.session);
  }

  async say(sql: string): Promise<void> {
    const unit = this.session.take({ type: code("Q"), bytes: simpleQuery(sql) });
    if (unit) this.scheduler.submit(unit);
    await vi.advanceTimersByTimeAsync(0);
  }
}

beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(() => void vi.useRealTimers());

describe("a transaction that idles while others wait", () => {
  test("is not ended for the idleness of an earlier transaction of its connection", async () => {
    const scheduler = new Scheduler(scriptedEngine(), {
      idleOwnerMs,
      onFatal: (error) => expect.unreachable(String(error)),
    });
    const [a, b] = [new Client(scheduler), new Client(scheduler)];
    await a.say("begin");
    await b.say("select 1");
    await b.say("select 2");
    await vi.advanceTimersByTimeAsync(idleOwnerMs / 2);
    await a.say("commit");
    expect(b.answers).toBe(2);
    await a.say("begin");
    await b.say("select 3");
    await vi.advanceTimersByTimeAsync(idleOwnerMs - 1);
    expect(a.ended).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(a.ended).toBe(true);
    expect(b.answers).toBe(3);
  });

  test("is ended after its time however many others come to wait", async () => {
    const scheduler = new Scheduler(scriptedEngine(), {
      idleOwnerMs,
      onFatal: (error) => expect.unreachable(String(error)),
    });
    const [a, b, c] = [new Client(scheduler), new Client(scheduler), new Client(scheduler)];
    await a.say("begin");
    await b.say("select 1");
    await vi.advanceTimersByTimeAsync(idleOwnerMs * 0.75);
    await c.say("select 1");
    await vi.advanceTimersByTimeAsync(idleOwnerMs * 0.25);
    expect(a.ended).toBe(true);
    expect([b.answers, c.answers]).toEqual([1, 1]);
  });
});

// How a claimed batch is handed over, without a database: what is settled, in which order, and what is left untouched.
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Destination } from "../destinations";
import { handOver, NoAnswerError } from "../hand-over";
import { NotYetError } from "../not-yet";
import { publishBatch, type PublishOptions } from "../publish";
import type { OutboxRow, OutboxSettlement } from "../store/outbox";

const row = (aggregateKey: string, position: number, more: Partial<OutboxRow> = {}): OutboxRow => ({
  id: `${aggregateKey}${position}`,
  destination: "test",
  tenantId: null,
  aggregateType: "thing",
  aggregateId: aggregateKey,
  aggregateKey,
  position,
  type: "test.thing.changed",
  version: 1,
  payload: {},
  headers: {},
  attempts: 1,
  refusals: 0,
  occurredAt: new Date(),
  dueAt: new Date(),
  ...more,
});

const idsOf = (rows: readonly OutboxRow[]): string => rows.map(({ id }) => id).join(" ");

/** Publishes what `refuses` lets pass; `handed` has what was handed over together, in order. */
function destinationOf({ batchSize = 1, refuses = "" } = {}): Destination & { handed: string[] } {
  const handed: string[] = [];
  const publish = async (rows: readonly OutboxRow[]): Promise<void> => {
    handed.push(idsOf(rows));
    await Promise.resolve();
    if (rows.some(({ id }) => id === refuses)) throw new Error("refused");
  };
  return { batchSize, publish, handed };
}

function optionsOf(more: Partial<PublishOptions> = {}): PublishOptions & { settlements: OutboxSettlement[] } {
  const settlements: OutboxSettlement[] = [];
  return {
    concurrency: 4,
    mayBegin: () => true,
    backoff: { firstMs: 100, maxMs: 1_000, jitter: 0.5 },
    random: () => 1,
    maxAttempts: 5,
    isAccepting: () => true,
    settle: async (settlement) => void settlements.push(settlement),
    answerByMs: performance.now() + 60_000,
    stop: new AbortController().signal,
    onLate: () => undefined,
    unanswered: new Map(),
    settlements,
    ...more,
  };
}

afterEach(() => vi.useRealTimers());

describe("a batch", () => {
  test("of one aggregate goes row by row in order, whatever the batch size, and is settled at once", async () => {
    const destination = destinationOf({ batchSize: 10 });
    const options = optionsOf();
    const report = await publishBatch(destination, [row("a", 1), row("a", 2), row("a", 3)], options);
    expect(report).toEqual({ published: 3, failed: 0, dead: 0, unanswered: 0 });
    expect(destination.handed).toEqual(["a1", "a2", "a3"]);
    expect(options.settlements).toEqual([
      { keys: ["a"], published: ["a1", "a2", "a3"], failed: [], dead: [], released: [] },
    ]);
  });

  test("of many aggregates hands over together those that are alone, as many as the destination takes", async () => {
    const destination = destinationOf({ batchSize: 2 });
    const options = optionsOf();
    const rows = [row("a", 1), row("b", 1), row("c", 1), row("d", 1), row("b", 2), row("e", 1)];
    expect((await publishBatch(destination, rows, options)).published).toBe(6);
    expect(destination.handed.toSorted()).toEqual(["a1 c1", "b1", "b2", "d1 e1"]);
    expect(options.settlements[0]?.keys.toSorted()).toEqual(["a", "b", "c", "d", "e"]);
  });

  test("stops an aggregate at the first row that fails, gives back the rest untouched, and lets others pass", async () => {
    const destination = destinationOf({ refuses: "a2" });
    const options = optionsOf();
    const rows = [row("a", 1), row("a", 2, { attempts: 3 }), row("a", 3), row("a", 4), row("b", 1), row("b", 2)];
    const report = await publishBatch(destination, rows, options);
    expect(report).toEqual({
      published: 3,
      failed: 1,
      dead: 0,
      unanswered: 0,
      example: { id: "a2", error: "Error: refused" },
    });
    expect(destination.handed).not.toContain("a3");
    const [settlement] = options.settlements;
    expect(settlement?.published.toSorted()).toEqual(["a1", "b1", "b2"]);
    expect(settlement?.failed).toEqual([{ id: "a2", retryInMs: 200, isRefused: true, error: "Error: refused" }]);
    expect(settlement?.released).toEqual(["a3", "a4"]);
  });

  test("that a destination refuses together is tried one by one, so that one bad row costs its neighbours nothing", async () => {
    const destination = destinationOf({ batchSize: 4, refuses: "b1" });
    const options = optionsOf();
    const rows = [row("a", 1), row("b", 1), row("c", 1), row("d", 1)];
    expect(await publishBatch(destination, rows, options)).toMatchObject({
      published: 3,
      failed: 1,
      example: { id: "b1" },
    });
    expect(destination.handed).toEqual(["a1 b1 c1 d1", "a1", "b1", "c1", "d1"]);
    expect(options.settlements[0]?.failed.map(({ id }) => id)).toEqual(["b1"]);
  });

  test("of a destination that takes none is tried no further after a few, and none of it counts as refused", async () => {
    let tried = 0;
    const publish = (): Promise<void> => Promise.reject(new Error(`away ${++tried}`));
    const options = optionsOf({ isAccepting: () => false });
    const rows = [..."abcdef"].map((key) => row(key, 1));
    expect(await publishBatch({ batchSize: 6, publish }, rows, options)).toMatchObject({ published: 0, failed: 6 });
    expect(tried).toBe(4);
    expect(options.settlements[0]?.failed.map(({ isRefused }) => isRefused)).toEqual(Array(6).fill(false));
  });

  describe("of which a destination says that some must wait", () => {
    /** Takes no hand-over in which one of `early` is. */
    function waitsFor(early: string[], refuses = "") {
      const handed: string[] = [];
      const publish = (rows: readonly OutboxRow[]): Promise<void> => {
        handed.push(idsOf(rows));
        const waiting = rows.filter(({ id }) => early.includes(id)).map(({ id }) => id);
        if (waiting.length > 0) return Promise.reject(new NotYetError("not declared yet", new Set(waiting)));
        return rows.some(({ id }) => id === refuses) ? Promise.reject(new Error("refused")) : Promise.resolve();
      };
      return { batchSize: 50, isOrdered: true, publish, handed };
    }
    const batch = Array.from({ length: 47 }, (_, n) => row(`k${n}-`, 1));
    const early = ["e", "f", "g"].map((key) => row(key, 1, { refusals: 4 }));

    test("publishes the others together at the first attempt, however many wait at its head, and counts no refusal", async () => {
      const destination = waitsFor(["e1", "f1", "g1"]);
      const options = optionsOf();
      const report = await publishBatch(destination, [...early, ...batch], options);
      expect(report).toMatchObject({ published: 47, failed: 3, dead: 0, unanswered: 0, example: { id: "e1" } });
      expect(destination.handed).toEqual([idsOf([...early, ...batch]), idsOf(batch)]);
      const [settlement] = options.settlements;
      expect(settlement?.failed).toEqual(
        early.map(({ id }) => ({ id, retryInMs: 50, isRefused: false, error: "NotYetError: not declared yet" })),
      );
      expect(settlement?.published).toHaveLength(47);
    });

    test("leaves untouched what is behind them in their aggregates, and tries the rest one by one if that is refused", async () => {
      const destination = waitsFor(["e1"], "b1");
      const options = optionsOf();
      const rows = [row("a", 1), row("e", 1), row("b", 1), row("e", 2), row("e", 3), row("c", 1)];
      await publishBatch(destination, rows, options);
      expect(destination.handed).toEqual(["a1 e1 e2 e3 b1 c1", "a1 b1 c1", "a1", "b1", "c1"]);
      const [settlement] = options.settlements;
      expect(settlement).toMatchObject({ published: ["a1", "c1"], dead: [], released: ["e2", "e3"] });
      expect(settlement?.failed.map(({ id, isRefused }) => [id, isRefused])).toEqual([
        ["e1", false],
        ["b1", true],
      ]);
    });

    test("fails all that must wait, without a refusal, when nothing is left, and keeps its end of time", async () => {
      const alone = optionsOf();
      await publishBatch(waitsFor(["e1"]), early.slice(0, 1), alone);
      expect(alone.settlements[0]).toMatchObject({ failed: [{ id: "e1", isRefused: false }], dead: [] });
      let asked = 0;
      const late = optionsOf({ mayBegin: () => ++asked <= 1 });
      const destination = waitsFor(["e1"]);
      await publishBatch(destination, [row("e", 1), row("a", 1)], late);
      expect(destination.handed).toEqual(["e1 a1"]);
      expect(late.settlements[0]).toMatchObject({ published: [], released: ["a1"] });
    });
  });

  test.each([
    ["refused for the last time by a destination that accepts others is given up", 4, true, ["a1"], []],
    ["that may be refused once more is tried again", 3, true, [], ["a1"]],
    ["of a destination that accepts nothing is tried again, however often it was", 4, false, [], ["a1"]],
  ])("with a row %s", async (_what, refusals, accepts, dead, failed) => {
    const options = optionsOf({ isAccepting: () => accepts });
    const rows = [row("a", 1, { attempts: 500, refusals }), row("a", 2)];
    const report = await publishBatch(destinationOf({ refuses: "a1" }), rows, options);
    expect(report).toMatchObject({ failed: 1, dead: dead.length });
    const [settlement] = options.settlements;
    expect(settlement?.dead.map(({ id, error }) => [id, error])).toEqual(dead.map((id) => [id, "Error: refused"]));
    expect(settlement?.failed.map(({ id }) => id)).toEqual(failed);
    expect(settlement?.released).toEqual(["a2"]);
  });

  test("begins nothing once it may not, and gives back what it did not begin", async () => {
    let asked = 0;
    const destination = destinationOf();
    const options = optionsOf({ concurrency: 1, mayBegin: () => ++asked <= 2 });
    const report = await publishBatch(destination, [row("a", 1), row("a", 2), row("a", 3), row("b", 1)], options);
    expect([report.published, destination.handed]).toEqual([2, ["a1", "a2"]]);
    expect(options.settlements).toEqual([
      { keys: ["a", "b"], published: ["a1", "a2"], failed: [], dead: [], released: ["a3", "b1"] },
    ]);
  });

  test("runs no more aggregates at once than it is told", async () => {
    let running = 0;
    let most = 0;
    const publish = async (): Promise<void> => {
      most = Math.max(most, ++running);
      await new Promise(setImmediate);
      running--;
    };
    const rows = Array.from({ length: 12 }, (_, n) => row(`k${n}`, 1));
    await publishBatch({ batchSize: 1, publish }, rows, optionsOf({ concurrency: 3 }));
    expect(most).toBe(3);
  });

  test("of nothing settles nothing", async () => {
    const options = optionsOf();
    expect(await publishBatch(destinationOf(), [], options)).toEqual({
      published: 0,
      failed: 0,
      dead: 0,
      unanswered: 0,
    });
    expect(options.settlements).toEqual([]);
  });

  test("rejects when a settlement fails, also one in the middle", async () => {
    const settle = (): Promise<void> => Promise.reject(new Error("away"));
    await expect(publishBatch(destinationOf(), [row("a", 1)], optionsOf({ settle }))).rejects.toThrow("away");
  });

  test("settles what is done a tenth of a second later, while a slow row holds up its own aggregate only", async () => {
    vi.useFakeTimers();
    let accept: () => void = () => undefined;
    const publish = ([first]: readonly OutboxRow[]): Promise<void> =>
      first?.id === "slow1" ? new Promise((resolve) => (accept = resolve)) : Promise.resolve();
    const options = optionsOf({ answerByMs: performance.now() + 60_000 });
    const done = publishBatch({ batchSize: 1, publish }, [row("slow", 1), row("a", 1), row("b", 1)], options);
    await vi.advanceTimersByTimeAsync(99);
    expect(options.settlements).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(options.settlements.map(({ published }) => published)).toEqual([["a1", "b1"]]);
    accept();
    await done;
    expect(options.settlements.map(({ published }) => published)).toEqual([["a1", "b1"], ["slow1"]]);
  });
});

describe("a hand-over", () => {
  /** A destination whose answer the test gives. */
  function silent() {
    const given: { signal: AbortSignal; accept: () => void; refuse: (error: Error) => void }[] = [];
    const publish = (_rows: readonly OutboxRow[], signal: AbortSignal): Promise<void> =>
      new Promise((accept, refuse) => void given.push({ signal, accept, refuse }));
    return { batchSize: 2, publish, given };
  }
  const rows = [row("a", 1, { tenantId: "0193a1c0-0000-7000-8000-0000000000aa" as never }), row("b", 1)];

  test("of several rows is one act", async () => {
    const destination = destinationOf({ batchSize: 2 });
    await handOver(destination, rows, optionsOf());
    await handOver(destination, rows.slice(0, 1), optionsOf());
    await handOver(destination, [], optionsOf());
    expect(destination.handed).toEqual(["a1 b1", "a1"]);
  });

  test("that has no answer in time fails, tells the destination to give up, and counts until the answer comes", async () => {
    vi.useFakeTimers();
    const destination = silent();
    const late: string[] = [];
    const options = optionsOf({
      answerByMs: performance.now() + 500,
      onLate: (accepted) => late.push(idsOf(accepted)),
    });
    const failure = handOver(destination, rows, options).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(499);
    expect([options.unanswered.size, destination.given[0]?.signal.aborted]).toEqual([0, false]);
    await vi.advanceTimersByTimeAsync(1);
    expect(await failure).toMatchObject({ name: "NoAnswerError", message: "no answer within 500 ms" });
    expect(destination.given[0]?.signal.reason).toBeInstanceOf(NoAnswerError);
    expect([options.unanswered.size, late]).toEqual([1, []]);
    destination.given[0]?.accept();
    await vi.advanceTimersByTimeAsync(0);
    expect([options.unanswered.size, late]).toEqual([0, ["a1 b1"]]);
  });

  test("whose late answer is a refusal is not counted as accepted", async () => {
    vi.useFakeTimers();
    const destination = silent();
    const onLate = vi.fn();
    const options = optionsOf({ answerByMs: performance.now() - 1, onLate });
    const failure = handOver(destination, rows, options).catch((error: unknown) => error);
    await vi.advanceTimersByTimeAsync(0);
    expect(await failure).toMatchObject({ message: "no answer within 0 ms" });
    destination.given[0]?.refuse(new Error("no"));
    await vi.advanceTimersByTimeAsync(0);
    expect([options.unanswered.size, onLate.mock.calls.length]).toEqual([0, 0]);
  });

  test("ends when the process stops, also when it has stopped before, and leaves no timer or listener", async () => {
    vi.useFakeTimers();
    for (const isBefore of [false, true]) {
      const stopping = new AbortController();
      const removed = vi.spyOn(stopping.signal, "removeEventListener");
      if (isBefore) stopping.abort();
      const failure = handOver(silent(), rows, optionsOf({ stop: stopping.signal })).catch((error: unknown) => error);
      stopping.abort();
      expect(await failure).toMatchObject({ message: "no answer before the process stopped" });
      expect([vi.getTimerCount(), removed.mock.calls.length]).toEqual([0, 1]);
    }
  });

  test("that is refused in time fails with the destination's own error, and nothing is unanswered", async () => {
    const options = optionsOf();
    await expect(handOver(destinationOf({ refuses: "a1" }), rows, options)).rejects.toThrow("refused");
    expect(options.unanswered.size).toBe(0);
    const throws = (): Promise<void> => {
      throw new Error("at once");
    };
    await expect(handOver({ batchSize: 1, publish: throws }, rows, options)).rejects.toThrow("at once");
    const report = await publishBatch(silent(), rows, optionsOf({ answerByMs: performance.now() }));
    expect(report).toMatchObject({ failed: 2, unanswered: 2 });
  });
});

// Things of which some do not go: none of the others waits for them, and what a run has is not used up by them.
import { expect, test, vi } from "vitest";
import { DbError } from "../errors";
import * as tenant from "../tenant";
import type { UpkeepBudget } from "../upkeep";
import { BEFORE_EVERYTHING, createProgress, listed, removePassingOver, type Things } from "../upkeep-walk";

const budget: UpkeepBudget = { statementTimeoutMs: 8_000, totalMs: 60_000, batchMax: 10 };
const tooLong = (): DbError => new DbError("statement_timeout", "canceling statement due to statement timeout");

interface Thing {
  at: string;
  id: string;
}
const nameOf = (n: number): string => String(n).padStart(3, "0");

/** Things in their order, and how a batch with one of `stuck` fails; and how many each batch was asked for. */
function things(many: number, stuck: readonly number[], failure: () => unknown = tooLong) {
  const left = new Set(Array.from({ length: many }, (_, n) => nameOf(n)));
  const asked: number[] = [];
  const walk: Things<Thing> = {
    list: (_tx, after, limit) => {
      asked.push(limit);
      const behind = [...left].filter((id) => after === BEFORE_EVERYTHING || id > after.id);
      return Promise.resolve(
        listed(
          behind.slice(0, limit).map((id) => ({ at: "now", id })),
          limit,
        ),
      );
    },
    remove: (_tx, batch) => {
      if (batch.some(({ id }) => stuck.map(nameOf).includes(id))) return Promise.reject(failure());
      batch.forEach(({ id }) => left.delete(id));
      return Promise.resolve(true);
    },
  };
  return { left: () => [...left].map(Number), asked, walk };
}

test("one that takes too long alone holds up none behind it, wherever it stands, and is told of in the end", async () => {
  const { left, asked, walk } = things(50, [0, 1, 25, 49]);
  await expect(removePassingOver("test", budget, walk)).rejects.toMatchObject({
    errors: Array(4).fill(expect.objectContaining({ kind: "statement_timeout" })) as unknown[],
  });
  expect(left()).toEqual([0, 1, 25, 49]);
  // Behind what was passed over the batches grow again.
  expect(asked.slice(0, 8)).toEqual([10, 5, 2, 1, 1, 1, 2, 4]);
  expect(await removePassingOver("test", budget, things(50, []).walk)).toBe(50);
});

test("one that fails otherwise is passed over too", async () => {
  const { left, walk } = things(30, [12], () => new DbError("foreign_key_violation", "is still named"));
  await expect(removePassingOver("test", budget, walk)).rejects.toMatchObject({ kind: "foreign_key_violation" });
  expect(left()).toEqual([12]);
});

test("what fails before anything is listed is no thing's fault, and ends the run", async () => {
  const { walk } = things(30, []);
  const list = vi.fn(() => Promise.reject(new DbError("unavailable", "gone")));
  await expect(removePassingOver("test", budget, { ...walk, list })).rejects.toMatchObject({ kind: "unavailable" });
  expect(list).toHaveBeenCalledTimes(1);
});

test("what ends a run in its middle keeps nothing back of what was passed over before", async () => {
  const { walk } = things(30, [0]);
  const list = vi.fn(walk.list);
  list.mockImplementation((...asked) =>
    list.mock.calls.length > 6 ? Promise.reject(new DbError("unavailable", "gone")) : walk.list(...asked),
  );
  await expect(removePassingOver("test", budget, { ...walk, list })).rejects.toMatchObject({
    errors: [{ kind: "statement_timeout" }, { kind: "unavailable" }],
  });
  expect(list).toHaveBeenCalledTimes(7);
});

test("many in a row that take too long are each given less, down to a second, and who goes gives it back", async () => {
  const given: number[] = [];
  const real = tenant.withSystem;
  const spy = vi.spyOn(tenant, "withSystem").mockImplementation((reason, work, options) => {
    given.push(options?.statementTimeoutMs ?? 0);
    return real(reason, work, options);
  });
  await expect(
    removePassingOver("test", { ...budget, batchMax: 1 }, things(9, [0, 1, 2, 3, 4, 5]).walk),
  ).rejects.toThrow();
  spy.mockRestore();
  expect(given).toEqual([8_000, 4_000, 2_000, 1_000, 1_000, 1_000, 1_000, 2_000, 4_000, 8_000]);
});

test("what holds more than a transaction removes is listed again until it is gone", async () => {
  const { left, walk } = things(12, []);
  let parts = 3;
  const remove: typeof walk.remove = (tx, batch) =>
    batch.some(({ id }) => id === "000") && parts-- > 0 ? Promise.resolve(false) : walk.remove(tx, batch);
  expect(await removePassingOver("test", budget, { ...walk, remove })).toBe(12);
  expect([left(), parts]).toEqual([[], -1]);
});

test("a run ends when its time is used up", async () => {
  const { left, walk } = things(50, []);
  expect(await removePassingOver("test", { ...budget, totalMs: 0 }, walk)).toBe(10);
  expect(left()).toHaveLength(40);
});

test("a run goes on where the one before ended, and behind the last at the first again: what stands far behind has its turn", async () => {
  const seen: number[] = [];
  const { walk } = things(5, []);
  const staying: Things<Thing> = {
    ...walk,
    list: async (tx, after, limit) => {
      const { things: found, last } = await walk.list(tx, after, limit);
      seen.push(...found.map(({ id }) => Number(id)));
      return { things: [], last };
    },
  };
  const progress = createProgress();
  // Each has time for one batch.
  const short = { ...budget, totalMs: -1, batchMax: 2 };
  for (let run = 0; run < 4; run++) await removePassingOver("test", short, staying, progress);
  expect(seen).toEqual([0, 1, 2, 3, 4, 0, 1]);
});

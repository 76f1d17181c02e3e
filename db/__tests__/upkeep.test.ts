// Removals that don't depend on each other: what is broken in one table must not let all others grow.
import { expect, test } from "vitest";
import { DbError } from "../errors";
import { removeEach, removeInBatches, removeInTurn, type UpkeepBudget } from "../upkeep";

const fails = (text: string) => () => Promise.reject(new Error(text));

test("each has its turn, in their order, and what one removed is told", async () => {
  const order: string[] = [];
  const removal = (name: string, rows: number) => () => Promise.resolve(void order.push(name)).then(() => rows);
  expect(await removeEach({ b: removal("b", 2), a: removal("a", 1) })).toEqual({ b: 2, a: 1 });
  expect(order).toEqual(["b", "a"]);
});

test("one that fails keeps none of those behind it from their turn, and is told in the end", async () => {
  const order: string[] = [];
  const last = (): Promise<number> => Promise.resolve(order.push("last"));
  await expect(removeEach({ a: fails("broken"), last })).rejects.toThrow(/^broken$/);
  await expect(removeEach({ a: fails("broken"), b: fails("as well"), last })).rejects.toMatchObject({
    message: expect.stringMatching(/^2 steps failed: .*broken.*; .*as well/) as string,
    errors: [{ message: "broken" }, { message: "as well" }],
  });
  expect(order).toEqual(["last", "last"]);
});

const budget: UpkeepBudget = { statementTimeoutMs: 5_000, totalMs: 60_000, batchMax: 10 };
const tooLong = (): DbError => new DbError("statement_timeout", "canceling statement due to statement timeout");
/** Things in their order, of which a batch with one of `heavy` takes too long; and how many each batch was asked for. */
function things(many: number, heavy: readonly number[]) {
  const left = Array.from({ length: many }, (_, n) => n);
  const asked: number[] = [];
  const remove = (_tx: unknown, limit: number): Promise<number> => {
    asked.push(limit);
    const batch = left.slice(0, limit);
    if (batch.some((one) => heavy.includes(one))) return Promise.reject(tooLong());
    left.splice(0, batch.length);
    return Promise.resolve(batch.length);
  };
  return { left, asked, remove };
}

test("a batch that takes too long is tried smaller, down to one, and then told of", async () => {
  const { left, asked, remove } = things(30, [12]);
  await expect(removeInBatches("test", budget, remove)).rejects.toMatchObject({ kind: "statement_timeout" });
  expect(asked).toEqual([10, 10, 5, 2, 2, 1]);
  expect(left[0]).toBe(12);
});

test("time that is used up before anything could be removed is no success", async () => {
  const { remove } = things(10, [0]);
  await expect(removeInBatches("test", { ...budget, totalMs: 0 }, remove)).rejects.toMatchObject({
    kind: "statement_timeout",
  });
});

test("what is removed in layers says itself whether anything is left: a batch that is not full is not the last", async () => {
  const layers = [3, 10, 2];
  const first = (): Promise<{ rows: number; isOver: boolean }> => {
    const rows = layers.pop() ?? 0;
    return Promise.resolve({ rows, isOver: rows === 0 });
  };
  const order: string[] = [];
  const second = (): Promise<number> => Promise.resolve(order.push(`after ${layers.length} layers`) - 1);
  expect(await removeInTurn("test", budget, [first, second])).toBe(true);
  expect([layers, order]).toEqual([[], ["after 0 layers"]]);
  layers.push(3, 10, 2);
  expect(await removeInBatches("test", budget, first)).toBe(15);
  // Cut short it says so, and does not begin with what comes after.
  layers.push(3, 10, 2);
  expect(await removeInTurn("test", { ...budget, totalMs: 0 }, [first, second])).toBe(false);
  expect([layers, order.length]).toEqual([[3, 10], 1]);
});

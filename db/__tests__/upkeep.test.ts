// Removals that don't depend on each other: what is broken in one table must not let all others grow.
import { expect, test } from "vitest";
import { removeEach } from "../upkeep";

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

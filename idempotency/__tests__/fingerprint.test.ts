// What makes two requests the same, and that finding it out holds up nobody.
import { afterEach, expect, test, vi } from "vitest";
import { fingerprintOf } from "../fingerprint";

afterEach(() => vi.restoreAllMocks());

const of = (read: unknown): Promise<string> =>
  fingerprintOf("POST", "/things", read).then((hash) => hash.toString("hex"));
const namesOf = (count: number): string[] => Array.from({ length: count }, (_, at) => `name ${(at * 7_919) % count}`);
const objectOf = (names: readonly string[]): Record<string, number> =>
  Object.fromEntries(names.map((name) => [name, name.length]));

test.each([0, 1, 4_000, 4_001, 9_001])("an object of %i names is the same in whatever order", async (count) => {
  const names = namesOf(count);
  expect(new Set(names).size).toBe(count);
  const same = await of(objectOf(names));
  expect(await of(objectOf(names.toReversed()))).toBe(same);
  expect(await of(objectOf(names.toSorted()))).toBe(same);
  expect(await of({ ...objectOf(names), "one more": 1 })).not.toBe(same);
  expect(await of({ ...objectOf(names), "name 0": "another" })).not.toBe(same);
});

test("the names of a large object are sorted in parts, and others have their turn between them", async () => {
  const sort = vi.spyOn(Array.prototype, "sort");
  const turns: number[] = [];
  let isOver = false;
  const look = (): void => {
    turns.push(sort.mock.contexts.length);
    if (!isOver) setImmediate(look);
  };
  setImmediate(look);
  await of(objectOf(namesOf(20_011)));
  isOver = true;
  const sorted = (sort.mock.contexts as unknown[][]).map(({ length }) => length);
  expect(Math.max(...sorted)).toBeLessThanOrEqual(4_000);
  expect(sorted.reduce((sum, length) => sum + length, 0)).toBeGreaterThanOrEqual(20_011);
  // Something was seen when some of the parts were sorted and others were not.
  expect(new Set(turns).size).toBeGreaterThan(2);
});

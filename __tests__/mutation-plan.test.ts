// The mutation run (`npm run test:mutation`) is no part of CI: what can rot in it meanwhile is held here.
import { existsSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { plan } from "../scripts/mutation/plan";
import { addTally, describeTally, emptyTally, scoreOf, talliesOf } from "../scripts/mutation/score";

describe("the plan of the mutation run", () => {
  test("names rules and suites that exist, each rule once", () => {
    const rules = plan.flatMap((entry) => entry.rules);
    expect([...rules, ...plan.flatMap((entry) => entry.suites)].filter((path) => !existsSync(path))).toEqual([]);
    expect(rules.filter((rule, at) => rules.indexOf(rule) !== at)).toEqual([]);
  });

  test("has every folder of rules", () => {
    expect([...new Set(plan.map(({ group }) => group))]).toEqual(
      expect.arrayContaining(["security", "auth", "db", "events", "queues"]),
    );
  });
});

describe("the score of a mutation run", () => {
  const report = (...statuses: string[]): unknown => ({
    files: { "a.ts": { mutants: statuses.map((status) => ({ status })) }, "b.ts": { mutants: [{ status: "Killed" }] } },
  });

  test("is what was noticed of what could be, of each file and together", () => {
    const tallies = talliesOf(report("Killed", "Timeout", "Survived", "NoCoverage", "Ignored", "CompileError"));
    expect([...tallies]).toEqual([
      ["a.ts", { noticed: 2, timeouts: 1, missed: 2 }],
      ["b.ts", { noticed: 1, timeouts: 0, missed: 0 }],
    ]);
    const all = [...tallies.values()].reduce(addTally, emptyTally);
    expect(scoreOf(all)).toBe(60);
    expect(scoreOf(addTally(all, { noticed: 5, timeouts: 0, missed: 0 }))).toBe(80);
    expect(describeTally("db", all)).toMatch(/^db +60\.0 % {2}3 of 5, 1 by timeout$/);
  });

  test("of nothing is no success", () => {
    expect(scoreOf(emptyTally)).toBe(0);
    expect(() => talliesOf({})).toThrow();
  });
});

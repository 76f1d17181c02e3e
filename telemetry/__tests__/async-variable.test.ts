import { setImmediate as turn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, test } from "vitest";
import { AsyncVariable } from "../async-variable";

describe("a variable", () => {
  const one = new AsyncVariable<string>();
  const other = new AsyncVariable<number>();

  test("is unknown outside, and follows work across awaits, timers and callbacks", async () => {
    expect(one.get()).toBeUndefined();
    const seen: unknown[] = [];
    await one.run("a", async () => {
      await turn();
      seen.push(one.get());
      await new Promise<void>((resolve) => setTimeout(() => resolve(void seen.push(one.get())), 1));
    });
    expect(seen).toEqual(["a", "a"]);
    expect(one.get()).toBeUndefined();
  });

  test("keeps to itself: others stay as they are, and work side by side does not mix", async () => {
    const seen = await Promise.all(
      Array.from({ length: 20 }, (_, i) =>
        one.run(`work ${i}`, () =>
          other.run(i, async () => {
            await turn();
            const inner = one.run("inner", () => [one.get(), other.get()]);
            return [...inner, one.get(), other.get()];
          }),
        ),
      ),
    );
    expect(seen).toEqual(Array.from({ length: 20 }, (_, i) => ["inner", i, `work ${i}`, i]));
  });

  test("is what it was when the work throws", () => {
    expect(() =>
      one.run("a", () => {
        throw new Error("x");
      }),
    ).toThrow("x");
    expect(one.get()).toBeUndefined();
  });

  test("keeps nothing of the work that set the present work going: a timer that sets the next one does not add up", async () => {
    const values: WeakRef<object>[] = [];
    const held = new AsyncVariable<object>();
    const again = (left: number): Promise<void> => {
      const value = {};
      values.push(new WeakRef(value));
      return held.run(value, async () => {
        await turn();
        if (left > 0) setImmediate(() => void again(left - 1));
      });
    };
    await again(50);
    while (values.length < 51) await turn();
    await held.run({}, async () => {
      collectGarbage();
      await turn();
      collectGarbage();
      expect(values.slice(0, 40).filter((ref) => ref.deref() !== undefined)).toEqual([]);
    });
  });
});

function collectGarbage(): void {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
}

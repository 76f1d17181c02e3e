// What a definition may be, and what follows from it and a saga's records.
import { describe, expect, test } from "vitest";
import { z } from "zod";
import { defineSaga, UnrecoverableStepError } from "../definition";
import { jobOf } from "../job";
import { nextOf } from "../next";
import { registerSaga } from "../worker";

const nothing = () => Promise.resolve();
const idle = { run: nothing, undo: "nothing" } as const;
const head = (name: string, version = 1) => defineSaga({ name, version, input: z.object({ n: z.number() }) });
const undoable = head("test:undoable")
  .step("first", { run: nothing, undo: nothing })
  .step("second", { run: nothing, undo: nothing })
  .step("third", idle);

describe("a definition", () => {
  test("is refused at load when it cannot be", () => {
    expect(() => head("no-colon")).toThrow("domain:action");
    expect(() => head("test:x", 0)).toThrow("positive integer");
    expect(() => head("test:x").step("No", idle)).toThrow("lower case");
    expect(() => head("test:x").step("a", idle).call("a", idle)).toThrow("two steps");
    expect(() => registerSaga(head("test:x"))).toThrow("no steps");
    registerSaga(undoable);
    expect(() => registerSaga(undoable)).toThrow("twice");
    expect(() => new UnrecoverableStepError("Not a code")).toThrow("lower_snake");
    expect(jobOf({ name: "orders:place", version: 2 }).name).toBe("orders:saga-place-v2");
  });

  test("says what is next by the records alone", () => {
    const progress = {
      state: "compensating" as const,
      position: 2,
      stepNames: ["first", "second", "third"],
      isCanceling: false,
    };
    const row = (position: number, state: "completed" | "undone" | "running") => ({
      ...{ position, name: "x", state, begun: 1, failed: 0, result: null, startedAt: new Date(0), endedAt: null },
    });
    const next = (rows: ReturnType<typeof row>[]) => nextOf(undoable, progress, rows);
    // A transaction that did not commit, and a step without an undo, leave nothing to undo.
    expect(next([row(0, "completed"), row(1, "running"), row(2, "completed")])).toMatchObject({
      act: "undo",
      position: 0,
    });
    expect(next([row(0, "undone"), row(1, "completed")])).toMatchObject({ act: "undo", position: 1 });
    expect(next([row(0, "undone"), row(1, "undone")])).toEqual({ act: "end", state: "compensated" });
    expect(next([])).toEqual({ act: "end", state: "compensated" });
  });
});

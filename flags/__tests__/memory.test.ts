// What one process knows of overrides, and when it says that it does not know.
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { ANEW_AFTER_MS, BLIND_AFTER_MS, OverrideMemory } from "../memory";
import type { ChangedOverride, ChangePage, ChangePlace } from "../store";

const [acme, globex] = ["0190f2b0-0000-7000-8000-000000000001", "0190f2b0-0000-7000-8000-000000000002"];

/** A table that a memory reads, and a clock. */
function world() {
  const rows: ChangedOverride[] = [];
  const asked: ChangePlace[] = [];
  const at = { ms: 0, horizon: "10", isAway: false };
  let waiting: Promise<void> = Promise.resolve();
  const read = async (behind: ChangePlace, limit: number): Promise<ChangePage> => {
    asked.push(behind);
    const { horizon } = at;
    const isBehind = ({ xid, tenantId, flag }: ChangedOverride): boolean =>
      BigInt(xid) > BigInt(behind.xid) ||
      (xid === behind.xid && (tenantId > behind.tenantId || (tenantId === behind.tenantId && flag > behind.flag)));
    const found = rows.filter(isBehind).slice(0, limit);
    await waiting;
    if (at.isAway) throw new Error("the database is away");
    return { horizon, rows: found };
  };
  const memory = new OverrideMemory(read, () => at.ms);
  const hold = (): (() => void) => {
    let release: () => void = () => undefined;
    waiting = new Promise((resolve) => (release = resolve));
    return release;
  };
  return { rows, asked, at, memory, hold };
}
const row = (xid: string, tenantId: string, flag: string, value: string | null): ChangedOverride => ({
  ...{ xid, tenantId, flag, value },
});

describe("what a process knows of overrides", () => {
  test("is nothing before the first read, and then each organisation's own", async () => {
    const { rows, memory } = world();
    expect(() => memory.valueOf(acme, "sqlSpans")).toThrow("cannot be read");
    rows.push(row("9", acme, "sqlSpans", "off"), row("9", globex, "sqlSpans", "names"));
    await memory.refresh();
    expect([memory.valueOf(acme, "sqlSpans"), memory.valueOf(globex, "sqlSpans")]).toEqual(["off", "names"]);
    expect([memory.valueOf(acme, "another"), memory.valueOf("somebody", "sqlSpans")]).toEqual([undefined, undefined]);
  });

  test("follows what is changed and taken back, and asks behind what it has seen", async () => {
    const { rows, asked, at, memory } = world();
    rows.push(row("9", acme, "a", "1"), row("9", acme, "b", "1"));
    await memory.refresh();
    rows.splice(0, 2, row("12", acme, "a", "2"), row("12", acme, "b", null));
    at.horizon = "13";
    await memory.refresh();
    expect([memory.valueOf(acme, "a"), memory.valueOf(acme, "b")]).toEqual(["2", undefined]);
    await memory.refresh();
    expect(asked.map(({ xid }) => xid)).toEqual(["0", "10", "13"]);
  });

  test("has what a transaction wrote that was running when it last looked, and ended later", async () => {
    const { rows, at, memory } = world();
    // Number 10 runs: it is the oldest, and later ones have committed.
    rows.push(row("11", globex, "a", "1"));
    await memory.refresh();
    rows.push(row("10", acme, "a", "late"));
    at.horizon = "12";
    await memory.refresh();
    expect(memory.valueOf(acme, "a")).toBe("late");
  });

  test("is good for ten seconds without a read, and nothing after that until one succeeds", async () => {
    const { rows, at, memory } = world();
    rows.push(row("9", acme, "a", "1"));
    await memory.refresh();
    at.isAway = true;
    at.ms = BLIND_AFTER_MS - 1;
    await memory.refresh();
    expect(memory.valueOf(acme, "a")).toBe("1");
    at.ms = BLIND_AFTER_MS;
    expect(() => memory.valueOf(acme, "a")).toThrow("cannot be read");
    at.isAway = false;
    await memory.refresh();
    expect(memory.valueOf(acme, "a")).toBe("1");
  });

  test("is as old as the beginning of its read: one that took long is no news", async () => {
    const { at, asked, memory, hold } = world();
    const release = hold();
    const reading = memory.refresh();
    await expect.poll(() => asked.length).toBe(1);
    at.ms = BLIND_AFTER_MS;
    release();
    await reading;
    expect(() => memory.valueOf(acme, "a")).toThrow("cannot be read");
  });

  test("is of after the call, also when a read was under way: whoever wrote finds what they wrote", async () => {
    const { rows, memory, hold } = world();
    const release = hold();
    const before = memory.refresh();
    rows.push(row("9", acme, "a", "written"));
    const after = memory.refresh();
    release();
    await Promise.all([before, after]);
    expect(memory.valueOf(acme, "a")).toBe("written");
  });

  test.each([
    ["its first page", 0],
    ["a later one", 5_000],
  ])("does not go back to what a read that was given up at %s answers behind a newer one", async (_which, before) => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const { rows, at, memory, hold } = world();
    for (let n = 0; n < before; n++) rows.push(row("8", globex, `f${String(n).padStart(4, "0")}`, "1"));
    rows.push(row("9", acme, "a", "old"));
    let release = hold();
    const givenUp = memory.refresh();
    await vi.advanceTimersByTimeAsync(0);
    if (before > 0) {
      const ofNext = hold();
      release();
      release = ofNext;
    }
    await vi.advanceTimersByTimeAsync(2_000);
    await givenUp;
    // What asks from now on is answered at once.
    hold()();
    rows.splice(-1, 1, row("12", acme, "a", "new"));
    for (const horizon of ["10", "13"]) {
      at.horizon = horizon;
      await memory.refresh();
    }
    release();
    await vi.advanceTimersByTimeAsync(0);
    expect(memory.valueOf(acme, "a")).toBe("new");
  });

  test("is read in pages where there is much", async () => {
    const { rows, memory, asked } = world();
    const flag = (n: number): string => `f${String(n).padStart(5, "0")}`;
    for (let n = 0; n < 12_000; n++) rows.push(row("9", acme, flag(n), String(n)));
    await memory.refresh();
    expect([0, 4_999, 5_000, 11_999].map((n) => memory.valueOf(acme, flag(n)))).toEqual(["0", "4999", "5000", "11999"]);
    expect(asked).toHaveLength(3);
  });

  test("of another server is not mixed with this one's: an earlier state is read from its start", async () => {
    const { rows, at, memory } = world();
    rows.push(row("9", acme, "a", "1"), row("9", acme, "b", "1"));
    await memory.refresh();
    rows.splice(0, 2, row("3", acme, "b", "restored"));
    at.horizon = "4";
    await memory.refresh();
    expect([memory.valueOf(acme, "a"), memory.valueOf(acme, "b")]).toEqual([undefined, "restored"]);
  });

  test("of an organisation that is gone is forgotten within an hour, and the others' stays meanwhile", async () => {
    const { rows, at, memory, hold } = world();
    rows.push(row("9", acme, "a", "1"), row("9", globex, "a", "1"));
    await memory.refresh();
    rows.shift();
    at.ms = ANEW_AFTER_MS - 1;
    await memory.refresh();
    expect(memory.valueOf(acme, "a")).toBe("1");
    const release = hold();
    at.ms = ANEW_AFTER_MS;
    const anew = memory.refresh();
    expect(memory.valueOf(globex, "a")).toBe("1");
    release();
    await anew;
    expect([memory.valueOf(acme, "a"), memory.valueOf(globex, "a")]).toEqual([undefined, "1"]);
  });
});

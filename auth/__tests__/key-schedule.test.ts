// When a key signs, as a model: rotations and revocations at random, seen by verifiers that keep the set as long as they
// may and by replicas that read late.
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { DatabaseClock } from "../../security/database-clock";
import {
  isPublished,
  isRotationDue,
  nextStandby,
  schedule,
  signingAt,
  stateOf,
  type KeyTimes,
  type RotationRules,
} from "../key-schedule";

const rules: RotationRules = { algorithm: "EdDSA", leadMs: 65_000, tokenMs: 900_000 };
/** How long a replica may go on by what it read. */
const LATE_MS = 10_000;
const start = 1_000_000;

const standby = (kid: string, publishedAtMs: number): KeyTimes => ({
  kid,
  algorithm: "EdDSA",
  publishedAtMs,
  signsFromMs: null,
  verifyUntilMs: null,
});

/** As key-rotation.ts does it with rows. */
class Rows {
  keys: KeyTimes[] = [];
  private made = 0;

  add(nowMs: number): KeyTimes {
    const key = standby(`k${String(++this.made).padStart(4, "0")}`, nowMs);
    this.keys = [...this.keys, key];
    return key;
  }

  rotate(nowMs: number, olderThanMs = 0): void {
    this.keys = this.keys.filter((key) => isPublished(key, nowMs));
    if (isRotationDue(this.keys, nowMs, "EdDSA", olderThanMs)) {
      const next = nextStandby(this.keys, "EdDSA") ?? this.add(nowMs);
      const times = new Map(schedule(this.keys, next, nowMs, rules, false).map((time) => [time.kid, time]));
      this.keys = this.keys.map((key) => ({ ...key, ...times.get(key.kid) }));
    }
    if (nextStandby(this.keys, "EdDSA") === undefined) this.add(nowMs);
  }
}

describe("the schedule of keys", () => {
  test("the first key signs at once and another stands by; a rotation gives the turn to that one", () => {
    const rows = new Rows();
    rows.rotate(start);
    const [first, second] = rows.keys;
    expect(signingAt(rows.keys, start, rules.tokenMs)).toBe(first);
    rows.rotate(start + 1_000);
    const at = (ms: number): string[] => rows.keys.map((key) => stateOf(key, rows.keys, start + ms, rules.tokenMs));
    expect(at(1_000)).toEqual(["signing", "waiting", "standby"]);
    expect(at(64_999)).toEqual(["signing", "waiting", "standby"]);
    expect(at(65_000)).toEqual(["verifying", "signing", "standby"]);
    expect(at(65_000 + rules.tokenMs + 60_000)).toEqual(["gone", "signing", "standby"]);
    expect([first?.kid, second?.kid]).toEqual(["k0001", "k0002"]);
  });

  test("a key that stood by for long signs at once", () => {
    const rows = new Rows();
    rows.rotate(start);
    rows.rotate(start + 86_400_000);
    expect(signingAt(rows.keys, start + 86_400_000, rules.tokenMs)?.kid).toBe("k0002");
  });

  test("however rotations follow each other: no token of a key that a set of an allowed age lacks, none outlived by its key", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 200_000 }), { minLength: 1, maxLength: 40 }), (pauses) => {
        const rows = new Rows();
        const history: { atMs: number; keys: KeyTimes[] }[] = [];
        let nowMs = start;
        rows.rotate(nowMs);
        history.push({ atMs: nowMs, keys: rows.keys });
        for (const pause of pauses) {
          nowMs += pause;
          rows.rotate(nowMs);
          history.push({ atMs: nowMs, keys: rows.keys });
        }
        const asOf = (ms: number): KeyTimes[] => history.filter(({ atMs }) => atMs <= ms).at(-1)?.keys ?? [];
        for (let ms = start + rules.leadMs; ms < nowMs + 500_000; ms += 7_000)
          for (const lateMs of [0, LATE_MS]) {
            const signer = signingAt(asOf(ms - lateMs), ms, rules.tokenMs);
            expect(signer).toBeDefined();
            const kept = asOf(ms - rules.leadMs + 5_000).map(({ kid }) => kid);
            expect(kept, `signed at ${ms - start}, read ${lateMs} before`).toContain(signer?.kid);
            const row = rows.keys.find(({ kid }) => kid === signer?.kid);
            expect(row?.verifyUntilMs ?? Infinity).toBeGreaterThan(ms + rules.tokenMs);
          }
      }),
      { numRuns: 60 },
    );
  });

  test("urgent: the next key signs from now on, and one that waits after it keeps its turn", () => {
    const rows = new Rows();
    rows.rotate(start);
    rows.rotate(start + 1_000);
    rows.rotate(start + 2_000);
    const [, second, third] = rows.keys;
    if (second === undefined || third === undefined) throw new Error("three keys were made");
    const left = rows.keys.slice(1);
    const times = schedule(left, second, start + 3_000, rules, true);
    expect(times).toEqual([{ kid: "k0002", signsFromMs: start + 3_000, verifyUntilMs: second.verifyUntilMs }]);
    const after = left.map((key) => ({ ...key, ...times.find(({ kid }) => kid === key.kid) }));
    expect(signingAt(after, start + 3_000, rules.tokenMs)?.kid).toBe("k0002");
    expect(signingAt(after, start + 70_000, rules.tokenMs)?.kid).toBe("k0003");
  });

  test("another algorithm is a reason to rotate, youth is none", () => {
    const rows = new Rows();
    rows.rotate(start);
    expect(isRotationDue(rows.keys, start + 10, "EdDSA", 1_000)).toBe(false);
    expect(isRotationDue(rows.keys, start + 1_000, "EdDSA", 1_000)).toBe(true);
    expect(isRotationDue(rows.keys, start + 10, "RS256", 1_000)).toBe(true);
  });
});

describe("the database's clock", () => {
  const clock = (): { clock: DatabaseClock; wait: (ms: number) => void } => {
    let ms = 0;
    const wallAheadMs = 30_000;
    return {
      clock: new DatabaseClock(
        () => ms,
        () => 1_000_000 + wallAheadMs + ms,
      ),
      wait: (more) => (ms += more),
    };
  };

  test("is this machine's until the database has told its own, then a time is put right by the difference", () => {
    const { clock: made, wait } = clock();
    expect(made.at(new Date(5_000)).getTime()).toBe(5_000);
    wait(100);
    made.note(1_000_050, 0, 100);
    expect(made.nowMs()).toBe(1_000_100);
    expect(made.at(new Date(1_030_100)).getTime()).toBe(1_000_100);
    wait(5_000);
    expect(made.nowMs()).toBe(1_005_100);
  });

  test("a slow answer does not displace a sure one, unless they contradict each other", () => {
    const { clock: made, wait } = clock();
    made.note(1_000_000, 0, 2);
    wait(4_000);
    made.note(1_003_000, 2_000, 4_000);
    expect(made.nowMs()).toBe(1_003_999);
    // Asleep for an hour, which the monotonic clock does not count.
    made.note(4_604_000, 4_000, 4_000);
    expect(made.nowMs()).toBe(4_604_000);
  });

  test("a difference that the network's delay explains is none", () => {
    const near = new DatabaseClock(
      () => 0,
      () => 1_000_000,
    );
    near.note(1_000_200, 0, 0);
    expect(near.at(new Date(7)).getTime()).toBe(7);
    near.note(1_000_300, 0, 0);
    expect(near.at(new Date(7)).getTime()).toBe(307);
  });
});

import { describe, expect, test } from "vitest";
import { reasonOf } from "../../security/errors";
import { BLIND_MAX_MS, Revocations, type RevocableToken } from "../revocations";
import type { RevocationPage } from "../store/revocations";

const token: RevocableToken = { sessionId: "s1", membership: "a1:t1", revision: 5, kid: "k1" };

/** A store whose pages the test gives, and a clock that it moves. */
function setUp(): {
  list: Revocations;
  reads: (string | null)[][];
  answer: { page: (horizon: string | null, position: string | null) => RevocationPage | Promise<RevocationPage> };
  wait: (ms: number) => void;
} {
  let nowMs = 1_000_000;
  const reads: (string | null)[][] = [];
  const answer = { page: (): RevocationPage | Promise<RevocationPage> => ({ horizon: "10", rows: [] }) };
  const list = new Revocations(
    async (horizon, position) => {
      reads.push([horizon, position]);
      return (answer.page as (h: string | null, p: string | null) => RevocationPage)(horizon, position);
    },
    () => nowMs,
    false,
  );
  return { list, reads, answer, wait: (ms) => void (nowMs += ms) };
}
const row = (subject: string, belowRevision: number | null = null, remainingMs = 900_000, position = "1") => ({
  subject,
  belowRevision,
  remainingMs,
  position,
});

describe("revocations", () => {
  test("are read before the first answer, once for all who wait, and not again for a second", async () => {
    const { list, reads, wait } = setUp();
    await Promise.all([list.refresh(), list.refresh(), list.refresh()]);
    expect(reads).toEqual([[null, null]]);
    wait(999);
    expect(list.refresh()).toBeUndefined();
    expect(reads).toHaveLength(1);
  });

  test("are read again each second without anybody waiting, from the oldest transaction that was running", async () => {
    const { list, reads, answer, wait } = setUp();
    await list.refresh();
    answer.page = () => ({ horizon: "12", rows: [row("s1")] });
    wait(1_000);
    expect(list.refresh()).toBeUndefined();
    await expect.poll(() => list.isRevoked(token)).toBe(true);
    expect(reads).toEqual([
      [null, null],
      ["10", null],
    ]);
  });

  test("make a request wait when what is known is older than a second and a half", async () => {
    const { list, answer, wait } = setUp();
    await list.refresh();
    answer.page = () => ({ horizon: "12", rows: [row("s1")] });
    wait(1_500);
    await list.refresh();
    expect(list.isRevoked(token)).toBe(true);
  });

  test("that cannot be read leave ten seconds of what is known, then nobody is let in, and then everybody again", async () => {
    const { list, answer, wait } = setUp();
    await list.refresh();
    const good = answer.page;
    answer.page = () => Promise.reject(new Error("away"));
    wait(2_000);
    await list.refresh();
    wait(BLIND_MAX_MS - 2_001);
    expect(list.refresh()).toBeUndefined();
    wait(1_000);
    expect(reasonOf(await list.refresh()?.catch((error: unknown) => error))).toBe("service_unavailable");
    answer.page = good;
    await list.refresh();
    expect(list.refresh()).toBeUndefined();
  });

  test("of a session refuse it whole; of a membership what is below a revision, and nobody else's", async () => {
    const { list } = setUp();
    list.note([{ subject: "a1:t1", belowRevision: 6 }], 900_000);
    expect(list.isRevoked(token)).toBe(true);
    expect(list.isRevoked({ ...token, revision: 6 })).toBe(false);
    expect(list.isRevoked({ ...token, membership: "a1:t2" })).toBe(false);
    expect(list.isRevoked({ ...token, membership: null })).toBe(false);
    list.note([{ subject: "a1:t1", belowRevision: 3 }], 900_000);
    expect(list.isRevoked(token)).toBe(true);
  });

  test("are forgotten when the last token that they concern has expired", async () => {
    const { list, answer, wait } = setUp();
    answer.page = (horizon) => ({
      horizon: "12",
      rows: horizon === null ? Array.from({ length: 1_000 }, (_, n) => row(`x${n}`, null, 1_000 + n, String(n))) : [],
    });
    await list.refresh();
    expect(list.size).toBe(1_000);
    wait(2_000);
    await list.refresh();
    expect(list.size).toBe(0);
  });

  test("that are many come page by page", async () => {
    const { list, reads, answer } = setUp();
    answer.page = (_, position) => {
      const from = Number(position ?? 0);
      const rows = Array.from({ length: from === 0 ? 5_000 : 3 }, (_row, n) => {
        const place = String(from + n + 1);
        return row(`x${place}`, null, 900_000, place);
      });
      return { horizon: "12", rows };
    };
    await list.refresh();
    expect(list.size).toBe(5_003);
    expect(reads).toEqual([
      [null, null],
      [null, "5000"],
    ]);
  });

  test("of another server, whose transactions count from lower, are read from the beginning", async () => {
    const { list, reads, answer, wait } = setUp();
    await list.refresh();
    answer.page = (horizon) => ({ horizon: "3", rows: horizon === null ? [row("s1")] : [] });
    wait(2_000);
    await list.refresh();
    expect(list.isRevoked(token)).toBe(true);
    expect(reads.slice(1)).toEqual([
      ["10", null],
      [null, null],
    ]);
  });
});

import { AsyncLocalStorage } from "node:async_hooks";
import { afterEach, describe, expect, test, vi } from "vitest";
import { systemQuery, withSystem } from "../../db/tenant";
import { reasonOf } from "../../security/errors";
import {
  BLIND_MAX_MS,
  membershipSubject,
  Revocations,
  revocations,
  revokeKey,
  revokeMembership,
  revokePlaces,
  revokeSessions,
  type RevocableToken,
} from "../revocations";
import type { RevocationPage } from "../store/revocations";

const token: RevocableToken = { sessionId: "s1", membership: "a1:t1", revision: 5, kid: "k1" };

/** A store whose pages the test gives, and a clock that it moves. */
function setUp(isPolling = false): {
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
    isPolling,
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
    const waiting = list.refresh();
    expect(waiting).toBeInstanceOf(Promise);
    await waiting;
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
    wait(1);
    const refusal: unknown = await list.refresh()?.catch((error: unknown) => error);
    expect(reasonOf(refusal)).toBe("service_unavailable");
    expect(refusal).toMatchObject({ details: { retryAfterSeconds: 1 } });
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

  test("of an organisation refuse whoever is in it, below a revision", () => {
    const { list } = setUp();
    list.note([{ subject: "organisation:t1", belowRevision: 6 }], 900_000);
    expect(list.isRevoked({ ...token, tenantId: "t1" })).toBe(true);
    expect(list.isRevoked({ ...token, tenantId: "t1", revision: 6 })).toBe(false);
    expect(list.isRevoked({ ...token, tenantId: "t2" })).toBe(false);
    expect(list.isRevoked(token)).toBe(false);
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

  // A key is refused for a day. What was revoked after it stayed for as long, at fifty sign-outs a second four million of them.
  test("are forgotten behind one that lives longer", async () => {
    const { list, wait } = setUp();
    await list.refresh();
    list.note([{ subject: "key:k9", belowRevision: null }], 86_400_000);
    list.note(
      Array.from({ length: 1_000 }, (_, n) => ({ subject: `x${n}`, belowRevision: null })),
      1_020_000,
    );
    wait(1_021_000);
    await list.refresh();
    expect(list.size).toBe(1);
    expect(list.isRevoked({ ...token, kid: "k9" })).toBe(true);
  });

  // What this process revoked it may not have read back yet: until then nobody else remembers it for it.
  test("of this process outlive its reads, as long as the tokens do", async () => {
    const { list, wait } = setUp();
    const before = list.epoch;
    list.note([{ subject: "s1", belowRevision: null }], 900_000);
    expect(list.epoch).not.toBe(before);
    wait(899_999);
    await list.refresh();
    expect(list.isRevoked(token)).toBe(true);
    wait(2_000);
    await list.refresh();
    expect(list.isRevoked(token)).toBe(false);
  });

  test("are nothing new to those who were looked at, when nothing was read", async () => {
    const { list, wait } = setUp();
    const before = list.epoch;
    await list.refresh();
    wait(2_000);
    await list.refresh();
    expect(list.epoch).toBe(before);
  });

  test("are read outside of the request that happened to ask first", async () => {
    const request = new AsyncLocalStorage<string>();
    const seen: (string | undefined)[] = [];
    const { list, answer } = setUp();
    answer.page = () => {
      seen.push(request.getStore());
      return { horizon: "10", rows: [] };
    };
    await request.run("a request", () => list.refresh());
    expect(seen).toEqual([undefined]);
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

describe("a process that is in use", () => {
  afterEach(() => void vi.useRealTimers());

  test("reads each second without being asked, for a minute after its last request, and no longer", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { list, reads, wait } = setUp(true);
    await list.refresh();
    const pass = async (seconds: number): Promise<void> => {
      for (let n = 0; n < seconds; n++) {
        wait(1_000);
        await vi.advanceTimersByTimeAsync(1_000);
      }
    };
    await pass(1);
    expect(reads).toHaveLength(2);
    await pass(59);
    expect(reads).toHaveLength(61);
    await pass(120);
    expect(reads).toHaveLength(61);
    await list.refresh();
    await pass(1);
    expect(reads).toHaveLength(63);
  });

  test("does not read twice at once, and of one who does not poll nothing is read by itself", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    const { list, reads, wait } = setUp(false);
    await list.refresh();
    wait(1_000);
    await vi.advanceTimersByTimeAsync(10_000);
    expect(reads).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("what is revoked in a transaction", () => {
  const ids = (): { sessionId: string; accountId: string; tenantId: string } => ({
    sessionId: crypto.randomUUID(),
    accountId: crypto.randomUUID(),
    tenantId: crypto.randomUUID(),
  });
  const stored = (subject: string): Promise<{ below: number | null; seconds: number }[]> =>
    systemQuery(
      "test",
      "select below_revision as below, extract(epoch from expires_at - now())::int as seconds from auth.revocation where subject = $1",
      [subject],
    );

  test("is refused here once that has committed, and is stored for the others as long as tokens live", async () => {
    const { sessionId, accountId, tenantId } = ids();
    const subject = membershipSubject(accountId, tenantId);
    const ofSession = { sessionId, membership: null, revision: 0, kid: "k1" };
    const ofMember = { sessionId: "another", membership: subject, revision: 6, kid: "k1" };
    const noted = vi.spyOn(revocations, "note");
    await withSystem("test", async (tx) => {
      await revokeSessions(tx, [sessionId]);
      await revokeMembership(tx, { accountId, tenantId, belowRevision: 7 });
      expect([revocations.isRevoked(ofSession), revocations.isRevoked(ofMember)]).toEqual([false, false]);
    });
    expect(noted.mock.calls.map(([, remainingMs]) => remainingMs > 900_000)).toEqual([true, true]);
    noted.mockRestore();
    await revocations.refresh();
    expect([revocations.isRevoked(ofSession), revocations.isRevoked(ofMember)]).toEqual([true, true]);
    expect(revocations.isRevoked({ ...ofMember, revision: 7 })).toBe(false);
    for (const other of [membershipSubject(accountId, ids().tenantId), membershipSubject(ids().accountId, tenantId)])
      expect(revocations.isRevoked({ ...ofMember, membership: other })).toBe(false);
    for (const [key, below] of [
      [sessionId, null],
      [subject, 7],
    ] as const) {
      const [row] = await stored(key);
      expect(row?.below).toBe(below);
      expect(row?.seconds).toBeGreaterThan(900);
    }
  });

  test("of a session in one organisation refuses its tokens there below a revision: none elsewhere, of another session, or of later", async () => {
    const { sessionId, tenantId } = ids();
    const there = { sessionId, membership: "a:t", tenantId, revision: 6, kid: "k1" };
    await withSystem("test", (tx) => revokePlaces(tx, tenantId, [{ sessionId, belowRevision: 7 }]));
    expect(revocations.isRevoked(there)).toBe(true);
    expect(revocations.isRevoked({ ...there, revision: 7 })).toBe(false);
    for (const other of [{ tenantId: ids().tenantId }, { sessionId: ids().sessionId }, { tenantId: null }])
      expect(revocations.isRevoked({ ...there, ...other })).toBe(false);
    expect(await stored(`in:${sessionId}:${tenantId}`)).toMatchObject([{ below: 7 }]);
  });

  // A thief of the key signs tokens that are longer good than ours.
  test("of a key refuses every token that it signed, for as long as any token may live", async () => {
    const kid = crypto.randomUUID();
    await withSystem("test", (tx) => revokeKey(tx, kid));
    const signed = { sessionId: "any", membership: null, revision: 0 };
    expect(revocations.isRevoked({ ...signed, kid })).toBe(true);
    expect(revocations.isRevoked({ ...signed, kid: "another" })).toBe(false);
    expect((await stored(`key:${kid}`))[0]?.seconds).toBeGreaterThan(3_600);
  });

  test("is not, when that is rolled back; and nothing revoked is nothing new", async () => {
    const { sessionId } = ids();
    const failing = withSystem("test", async (tx) => {
      await revokeSessions(tx, [sessionId]);
      throw new Error("on purpose");
    });
    await expect(failing).rejects.toThrow("on purpose");
    const before = revocations.epoch;
    await withSystem("test", (tx) => revokeSessions(tx, []));
    expect(revocations.epoch).toBe(before);
    expect(revocations.isRevoked({ sessionId, membership: null, revision: 0, kid: "k1" })).toBe(false);
    expect(await stored(sessionId)).toEqual([]);
  });
});

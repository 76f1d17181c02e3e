// Revocation over several replicas, and what races: part of `npm run test:pg`.
import pg from "pg";
import { describe, expect, onTestFinished, test } from "vitest";
import { AppDB } from "../../database";
import { newId } from "../../db/ids";
import { systemQuery, withSystem } from "../../db/tenant";
import { reasonOf } from "../../security/errors";
import { callerFrom, principalFrom, type Principal } from "../../security/principal";
import { changeMemberRole, removeMember } from "../members";
import { register, type Registered } from "../registration";
import { membershipSubject, Revocations, revokeSessions } from "../revocations";
import { refreshSession, signOut } from "../sessions";
import { REVOCATION_READ } from "../store/revocations";
import { here, newcomer, start } from "./people";

/** As another process has it: its own memory, the same database, polling. */
const replica = (): Revocations => new Revocations(undefined, undefined, true);
const sees = async (list: Revocations, sessionId: string): Promise<boolean> => {
  await list.refresh();
  return list.isRevoked({ sessionId, membership: null, revision: 0, kid: "k" });
};
/** Whoever registered, with the session they have, as an owner of the organisation. */
const ownerOf = async (tenantId: string, { user }: Registered): Promise<Principal> =>
  principalFrom({ userID: user.id, tenantId, role: "owner", sessionId: await sessionOf(user.id) });
async function sessionOf(accountId: string): Promise<string> {
  const [session] = await systemQuery<{ id: string }>("test", "select id from auth.session where account_id = $1", [
    accountId,
  ]);
  return session?.id ?? "";
}
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

describe("revocations", () => {
  test("1,000 sign-outs: none is accepted by any of three replicas two seconds after its commit", async () => {
    const replicas = [replica(), replica(), replica()];
    for (const list of replicas) await list.refresh();
    const ended: { id: string; atMs: number }[] = [];
    let late = 0;
    let looks = 0;
    let isOver = false;
    const watch = async (list: Revocations): Promise<void> => {
      while (!isOver) {
        await list.refresh();
        const nowMs = performance.now();
        for (const { id, atMs } of ended) {
          if (nowMs - atMs < 2_000) continue;
          looks++;
          if (!list.isRevoked({ sessionId: id, membership: null, revision: 0, kid: "k" })) late++;
        }
        await pause(50);
      }
    };
    const watching = replicas.map(watch);
    for (let n = 0; n < 1_000; n += 10) {
      const ids = Array.from({ length: 10 }, () => newId());
      await withSystem("test", (tx) => revokeSessions(tx, ids));
      ended.push(...ids.map((id) => ({ id, atMs: performance.now() })));
      await pause(5);
    }
    await pause(2_200);
    isOver = true;
    await Promise.all(watching);
    expect(looks).toBeGreaterThan(3_000);
    expect(late).toBe(0);
  });

  // A position by sequence or clock would have passed it by.
  test("one that commits long after others, though it was written first, is seen", async () => {
    const list = replica();
    const [slow, quick] = [newId(), newId()];
    let commit!: () => void;
    let written!: () => void;
    const [isWritten, mayCommit] = [
      new Promise<void>((done) => (written = done)),
      new Promise<void>((done) => (commit = done)),
    ];
    const committed = withSystem("test", async (tx) => {
      await revokeSessions(tx, [slow]);
      written();
      await mayCommit;
    });
    await isWritten;
    await withSystem("test", (tx) => revokeSessions(tx, [quick]));
    expect([await sees(list, quick), await sees(list, slow)]).toEqual([true, false]);
    await pause(1_600);
    expect(await sees(list, slow)).toBe(false);
    commit();
    await committed;
    await expect.poll(() => sees(list, slow)).toBe(true);
  });

  test("reading what is new is an index scan, however many there are", async () => {
    const client = new pg.Client(AppDB.connectionString);
    await client.connect();
    onTestFinished(() => client.end());
    for (let transaction = 0; transaction < 20; transaction++)
      await client.query(
        "insert into auth.revocation (subject, expires_at) select n::text, now() + interval '1 hour' from generate_series(1, 1000) n",
      );
    await client.query("analyze auth.revocation");
    // Of the next transaction: what runs in other databases of the server holds back the oldest running one.
    const asked = await client.query<{ next: string }>("select pg_current_xact_id()::text as next");
    const horizon = asked.rows[0]?.next ?? "";
    const rows = await systemQuery("test", `explain ${REVOCATION_READ}`, [horizon, null, 5_000]);
    expect(JSON.stringify(rows)).toContain("revocation_xid");
  });
});

describe("at once", () => {
  test("two owners who demote each other leave one", async () => {
    for (let round = 0; round < 10; round++) {
      const [ada, bob] = [await register(newcomer(), start), await register(newcomer(), start)];
      await systemQuery("test", "insert into auth.membership (tenant_id, account_id, role) values ($1, $2, 'owner')", [
        ada.organisation.id,
        bob.user.id,
      ]);
      const [asAda, asBob] = await Promise.all([ownerOf(ada.organisation.id, ada), ownerOf(ada.organisation.id, bob)]);
      const outcomes = await Promise.allSettled([
        changeMemberRole(asAda, bob.user.id, { role: "viewer", roleId: null }),
        removeMember(asBob, ada.user.id),
      ]);
      expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
      const owners = await systemQuery(
        "test",
        "select 1 from auth.membership where tenant_id = $1 and role = 'owner'",
        [ada.organisation.id],
      );
      expect(owners).toHaveLength(1);
    }
  });

  test("signing out while refreshing leaves nobody signed in", async () => {
    for (let round = 0; round < 20; round++) {
      const person = await register(newcomer(), start);
      const caller = callerFrom({ userID: person.user.id, sessionId: await sessionOf(person.user.id) });
      const [renewed] = await Promise.allSettled([refreshSession(person.refreshToken, start, here), signOut(caller)]);
      const token = renewed.status === "fulfilled" ? renewed.value.refreshToken : person.refreshToken;
      expect(await refreshSession(token, start, here).then(() => "let in", reasonOf)).toBe("refresh_token_invalid");
    }
  });

  test("a removal and a return leave the newcomer's tokens good and the old ones refused", async () => {
    const [owner, member] = [await register(newcomer(), start), await register(newcomer(), start)];
    const tenantId = owner.organisation.id;
    const join = async (): Promise<number> => {
      const [row] = await systemQuery<{ revision: number }>(
        "test",
        "insert into auth.membership (tenant_id, account_id, role) values ($1, $2, 'member') returning revision::float8 as revision",
        [tenantId, member.user.id],
      );
      return row?.revision ?? 0;
    };
    const before = await join();
    await removeMember(await ownerOf(tenantId, owner), member.user.id);
    const after = await join();
    const list = replica();
    await list.refresh();
    const membership = membershipSubject(member.user.id, tenantId);
    const isRefused = (revision: number): boolean =>
      list.isRevoked({ sessionId: newId(), membership, revision, kid: "k" });
    expect([isRefused(before), isRefused(after)]).toEqual([true, false]);
  });
});

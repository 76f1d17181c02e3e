// The promise of the README, read off Postgres' own catalogue: what protects every table is exactly what is written
// here. The mutations show that the comparison sees what it must.
import { beforeAll, describe, expect, it } from "vitest";
import type pg from "pg";
import { checkIsolation } from "../boot-check";
import { isolation } from "../connection";
import { appPool } from "../pool";
import { newId } from "../ids";
import { tenantIdFrom } from "../../security/principal";
import { withSystem, withTenant, type TenantScope, type Tx } from "../tenant";
import { complaints, readTables } from "./catalogue";
import { ownerPool } from "./owner";

interface Login {
  bypasses: boolean;
}

const loginOf = async (pool: pg.Pool): Promise<Login> => {
  const found = await pool.query<Login>(
    "select rolsuper or rolbypassrls as bypasses from pg_roles where rolname = current_user",
  );
  return found.rows[0] as Login;
};

let login: Login;
let appLogin: Login;
beforeAll(async () => {
  login = await loginOf(ownerPool());
  appLogin = await loginOf(appPool());
});

/** Runs `fn` in a transaction that is undone, as the role that the app acts as once `fn` asks for it. */
async function undone<T>(fn: (client: pg.PoolClient, actAsApp: () => Promise<void>) => Promise<T>): Promise<T> {
  const client = await ownerPool().connect();
  try {
    await client.query("begin");
    return await fn(client, async () => {
      if (login.bypasses) await client.query("set local role groundwork_app");
    });
  } finally {
    await client.query("rollback");
    client.release();
  }
}

const complaintsAfter = (sql: string): Promise<string[]> =>
  undone(async (client, actAsApp) => {
    if (sql !== "") await client.query(sql);
    await actAsApp();
    return complaints(client);
  });

describe("every table", () => {
  it("of ours is looked at", async () => {
    const names = await undone(async (client) => (await readTables(client)).map(({ name }) => name));
    expect(names).toEqual(
      expect.arrayContaining([
        "auth.account",
        "auth.organisation",
        "auth.signing_key",
        "events.outbox",
        "events.inbox",
        "queues.tenant_turn",
        "vectors.chunk",
      ]),
    );
  });

  it("has exactly the policy that is expected, forced, with an index that starts with the tenant, and rights for the app alone", async () => {
    expect(await complaintsAfter("")).toEqual([]);
  });
});

describe("the comparison", () => {
  const policy = (rest: string): string =>
    `drop policy tenant_isolation on events.inbox; create policy tenant_isolation on events.inbox ${rest}`;
  const own = "tenant_id = (select db.current_tenant())";
  const system = "(select db.is_system())";
  const whole = (column = "tenant_id"): string =>
    `(case when booleq(${column} = (select db.current_tenant()), true) then true else ${system} end)`;
  const both = whole();
  const careless = "create schema careless; create table careless.note";

  const mutations: [string, string, RegExp][] = [
    ["OR true", policy(`using (${own} or ${system} or true) with check ${both}`), /inbox has not the one policy/],
    ["WITH CHECK true", policy(`using ${both} with check (true)`), /inbox has not the one policy/],
    ["no WITH CHECK", policy(`using ${both}`), /inbox has not the one policy/],
    [
      "anybody's token",
      policy(`using (tenant_id = db.current_tenant() or db.is_system())`),
      /inbox has not the one policy/,
    ],
    ["no system scope", policy(`using (${own}) with check (${own})`), /inbox has not the one policy/],
    ["one command only", policy(`for select using ${both}`), /inbox has not the one policy/],
    ["one role only", policy(`to groundwork_app using ${both} with check ${both}`), /inbox has not the one policy/],
    ["restrictive", policy(`as restrictive using ${both} with check ${both}`), /inbox has not the one policy/],
    ["another name", "alter policy tenant_isolation on events.inbox rename to other", /inbox has not the one policy/],
    ["a second policy", "create policy more on events.inbox using (true)", /inbox has not the one policy/],
    ["a system table for all", "create policy more on auth.account using (true)", /account has not the one policy/],
    [
      "another column",
      `drop policy tenant_isolation on auth.membership; create policy tenant_isolation on auth.membership using ${whole("account_id")}`,
      /membership has not the one policy/,
    ],
    ["not forced", "alter table auth.account no force row level security", /account has no forced row security/],
    ["off", "alter table auth.organisation disable row level security", /organisation has no forced/],
    ["no index", "drop index events.inbox_tenant", /inbox has no index that starts with tenant_id/],
    [
      "a partial index",
      "drop index events.inbox_tenant; create index on events.inbox (tenant_id) where dead_at is null",
      /inbox has no index that starts with tenant_id/,
    ],
    ["no right", "revoke update on events.inbox from groundwork_app", /inbox may not be read and written/],
    ["rights for all", "grant select on events.inbox to public", /inbox gives rights to others/],
    ["more rights", "grant truncate on events.inbox to groundwork_app", /inbox gives rights to others/],
    ["a table without tenant_id", `${careless} (id int)`, /careless.note has no tenant_id, and no reason/],
    ["a table that forgot", `${careless} (tenant_id uuid)`, /careless.note has no forced row security/],
    ["a view", "create view events.peek as select * from events.inbox", /peek is a view/],
    ["a materialized view", "create materialized view events.peek as select 1", /peek is of a kind/],
    [
      "a function with its owner's rights",
      "create function events.peek() returns bigint language sql security definer as 'select count(*) from events.inbox'",
      /peek\(\) runs with its owner's rights/,
    ],
    [
      "a function with its owner's rights that looks where its caller may write",
      "alter function db.current_tenant() set search_path = pg_catalog",
      /current_tenant\(\) looks up names where its caller may have put some/,
    ],
  ];

  it("sees each change of what protects a table", async () => {
    for (const [name, sql, complaint] of mutations)
      expect((await complaintsAfter(sql)).join("\n"), name).toMatch(complaint);
  });

  it("lets a view through that shows what its reader may see", async () => {
    expect(
      await complaintsAfter("create view events.peek with (security_invoker = true) as select * from events.inbox"),
    ).toEqual([]);
  });

  it("is satisfied by the one call that migrations make, which refuses a table without the index", async () => {
    const table = "create schema careless; create table careless.note (id uuid primary key, tenant_id uuid)";
    const call = "select db.protect_tenant_table('careless.note')";
    expect(await complaintsAfter(`${table}; create index on careless.note (tenant_id); ${call}`)).toEqual([]);
    await expect(complaintsAfter(`${table}; ${call}`)).rejects.toThrow(/careless.note has no index that starts with/);
  });
});

describe("a row of somebody else", () => {
  /** Whether the statement asked whose the transaction is, which takes longer than everything else that it does. */
  async function asks(tx: Tx, sql: string, params: unknown[]): Promise<boolean> {
    const plan = await tx.query<{ "QUERY PLAN": string }>(`explain (analyze, costs off, timing off) ${sql}`, params);
    return plan.some((line) => /^\s+->\s+Result \(actual/.test(line["QUERY PLAN"]));
  }

  it("of another organisation is dropped before row security asks anything, as fast as if there were none", async () => {
    const [own, other] = [newId(), newId()];
    const [we, they] = [own, other].map((id) => ({ tenantId: tenantIdFrom(id) })) as [TenantScope, TenantScope];
    const [ours, theirs] = [newId(), newId()];
    const insert = `insert into queues.dead_letter (id, tenant_id, queue, job_id, payload, reason, error, attempts)
      values ($1, $2, 'test', $3, '{}', 'test', 'test', 1)`;
    await withTenant(we, (tx) => tx.execute(insert, [ours, own, ours]));
    await withTenant(they, (tx) => tx.execute(insert, [theirs, other, theirs]));
    const read = "select 1 from queues.dead_letter where tenant_id = $1 and id = $2";
    const change = "update queues.dead_letter set attempts = 2 where tenant_id = $1 and id = $2";
    for (const sql of [read, change])
      expect(
        await withTenant(we, async (tx) => [
          await asks(tx, sql, [own, ours]),
          await asks(tx, sql, [own, theirs]),
          await asks(tx, sql, [own, newId()]),
        ]),
      ).toEqual([true, false, false]);
    await withTenant(we, (tx) => tx.execute("delete from queues.dead_letter where tenant_id = $1", [own]));
    await withTenant(they, (tx) => tx.execute("delete from queues.dead_letter where tenant_id = $1", [other]));
  });

  it("of another account, too", async () => {
    const [mine, theirs, id] = [newId(), newId(), newId()];
    const read = "select 1 from auth.passkey where account_id = $1 and id = $2";
    const end = new Error("taken back");
    const asked = withSystem("test", async (tx) => {
      await tx.execute("insert into auth.account (id, email) values ($1, $2)", [theirs, `${theirs}@example.com`]);
      await tx.execute(
        `insert into auth.passkey (id, account_id, credential_id, public_key, sign_count, is_synced, is_backed_up, transports, name)
         values ($1, $2, uuid_send($1), '', 0, false, false, '{}', 'test')`,
        [id, theirs],
      );
      expect([await asks(tx, read, [theirs, id]), await asks(tx, read, [mine, id])]).toEqual([true, false]);
      throw end;
    });
    await expect(asked).rejects.toBe(end);
  });
});

describe("the boot check", () => {
  it("says how isolation holds on this connection", async () => {
    expect(await isolation()).toEqual({ role: appLogin.bypasses ? "groundwork_app" : null });
    const [me] = await withSystem("test", (tx) =>
      tx.query<{ bypasses: boolean }>(
        "select rolsuper or rolbypassrls as bypasses from pg_roles where rolname = current_user",
      ),
    );
    expect(me).toEqual({ bypasses: false });
  });

  it("refuses a database in which a table with tenant_id has no forced row security, and names it", async () => {
    await appPool().query("create schema careless; create table careless.note (tenant_id uuid not null)");
    try {
      for (const change of ["select 1", "alter table careless.note enable row level security"]) {
        await appPool().query(change);
        await expect(checkIsolation(appPool())).rejects.toMatchObject({
          kind: "misuse",
          message: expect.stringContaining("careless.note") as string,
        });
      }
      await appPool().query("alter table careless.note force row level security");
      expect(await checkIsolation(appPool())).toEqual(await isolation());
    } finally {
      await appPool().query("drop schema careless cascade");
    }
  });

  it("refuses in production a login that bypasses row security, and says what to do", async () => {
    const check = checkIsolation(appPool(), { isProduction: true, ownerLogin: "refuse" });
    if (!appLogin.bypasses) expect(await check).toEqual({ role: null });
    else
      await expect(check).rejects.toMatchObject({
        kind: "misuse",
        message: expect.stringMatching(/production refuses .* superuser .*create role app login/) as string,
      });
  });
});

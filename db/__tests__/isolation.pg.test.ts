// Which logins isolation holds for, asked with real ones, and what the server ends by itself: the embedded database has
// one login and no timers.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import pg from "pg";
import { AppDB } from "../../database";
import { checkIsolation } from "../boot-check";
import { appPool } from "../pool";
import { newId } from "../ids";
import { systemQuery, withSystem, withTenant } from "../tenant";
import { tenantIdFrom } from "../../security/principal";

const suffix = newId().slice(-12);
const name = (role: string): string => `gw_${role}_${suffix}`;
const password = newId();
const roles = ["bypassing", "member", "owner", "heir", "bound"].map(name);
const production = { isProduction: true, ownerLogin: "warn" } as const;
const refusing = { isProduction: true, ownerLogin: "refuse" } as const;
const elsewhere = { isProduction: false, ownerLogin: "warn" } as const;
const pools: pg.Pool[] = [];
let tables: string[];

function poolOf(role: string): pg.Pool {
  const address = new URL(AppDB.connectionString);
  address.username = name(role);
  address.password = password;
  const pool = new pg.Pool({ connectionString: address.href, max: 1 });
  pools.push(pool);
  return pool;
}

/** By the migrations' login. */
const run = (sql: string): Promise<unknown> => appPool().query(sql);

beforeAll(async () => {
  for (const role of roles) await run(`create role ${role} login noinherit password '${password}'`);
  await run(`alter role ${name("bypassing")} bypassrls`);
  await run(`grant ${name("bypassing")} to ${name("member")}`);
  const found = await appPool().query<{ name: string }>(
    `select c.oid::regclass::text as name from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
      where c.relkind = 'r' and c.relforcerowsecurity`,
  );
  tables = found.rows.map((row) => row.name);
});

afterAll(async () => {
  await Promise.all(pools.map((pool) => pool.end()));
  for (const table of tables) await run(`alter table ${table} owner to current_user`);
  for (const role of roles) await run(`drop owned by ${role}; drop role ${role}`);
});

describe("a login", () => {
  it("with BYPASSRLS is refused in production, and elsewhere acts as groundwork_app or not at all", async () => {
    const pool = poolOf("bypassing");
    await expect(checkIsolation(pool, production)).rejects.toMatchObject({
      kind: "misuse",
      message: expect.stringContaining(
        `${name("bypassing")}, because row security does not bind it: it is a superuser`,
      ),
    });
    await expect(checkIsolation(pool, elsewhere)).rejects.toMatchObject({
      kind: "misuse",
      message: expect.stringContaining("may not become groundwork_app"),
    });
    await run(`grant groundwork_app to ${name("bypassing")}`);
    expect(await checkIsolation(pool, elsewhere)).toEqual({ role: "groundwork_app" });
  });

  it("that may become one with BYPASSRLS is refused in production by that role's name", async () => {
    const pool = poolOf("member");
    await expect(checkIsolation(pool, production)).rejects.toMatchObject({
      kind: "misuse",
      message: expect.stringContaining(`may become ${name("bypassing")}, which bypasses it`),
    });
    expect(await checkIsolation(pool, elsewhere)).toEqual({ role: null });
  });

  it("that nothing lets bypass row security is accepted", async () => {
    expect(await checkIsolation(poolOf("bound"), production)).toEqual({ role: null });
  });

  it("that owns a table, a function of the policies or a schema is refused by its name where that is asked for, itself or as a member; else it is let in", async () => {
    expect(tables.length).toBeGreaterThan(5);
    const [table = ""] = tables;
    const owned: [string, string, string][] = [
      ["table", table, table],
      ["table", "db.capability", "db.capability"],
      ["function", "db.is_system()", "db.is_system()"],
      ["schema", "auth", "the schema auth"],
      ["schema", "db", "the schema db"],
    ];
    await run(`grant ${name("owner")} to ${name("heir")}`);
    for (const [kind, what, shown] of owned) {
      await run(`alter ${kind} ${what} owner to ${name("owner")}`);
      try {
        const pool = poolOf("owner");
        await expect(checkIsolation(pool, refusing), what).rejects.toMatchObject({
          kind: "misuse",
          message: expect.stringContaining(`${name("owner")} owns ${shown}: one bent statement`),
        });
        await expect(checkIsolation(poolOf("heir"), refusing), what).rejects.toMatchObject({
          kind: "misuse",
          message: expect.stringContaining(`${name("heir")} may become ${name("owner")}, which owns ${shown}:`),
        });
        expect(await checkIsolation(pool, production)).toEqual({ role: null });
        expect(await checkIsolation(pool, elsewhere)).toEqual({ role: null });
      } finally {
        await run(`alter ${kind} ${what} owner to current_user`);
      }
    }
  });

  it("that owns the tables is still refused where row security is not forced", async () => {
    for (const table of tables) await run(`alter table ${table} owner to ${name("owner")}`);
    const [table = ""] = tables;
    await run(`alter table ${table} no force row level security`);
    try {
      await expect(checkIsolation(poolOf("owner"), production)).rejects.toMatchObject({
        kind: "misuse",
        message: expect.stringContaining(`row security does not hold for ${table}:`),
      });
    } finally {
      await run(`alter table ${table} force row level security`);
    }
  });
});

describe("a transaction whose body waits for something else", () => {
  it("is ended by the server, which frees its locks, and its next statement says `unavailable`", async () => {
    const key = 8_121_407;
    const free = async (): Promise<boolean> => {
      const [row] = await systemQuery<{ free: boolean }>("test", "select pg_try_advisory_xact_lock($1) as free", [key]);
      return row?.free ?? false;
    };
    await expect(
      withSystem("test", async (tx) => {
        await tx.query(
          "select pg_advisory_xact_lock($1), set_config('idle_in_transaction_session_timeout', '3000', true)",
          [key],
        );
        const held = new pg.Client({ connectionString: AppDB.connectionString });
        await held.connect();
        const isFree = async (): Promise<boolean> =>
          (await held.query<{ free: boolean }>("select pg_try_advisory_xact_lock($1) as free", [key])).rows[0]?.free ??
          false;
        expect(await isFree()).toBe(false);
        await expect.poll(isFree).toBe(true);
        await held.end();
        await tx.query("select 1");
      }),
    ).rejects.toMatchObject({ kind: "unavailable" });
    expect(await free()).toBe(true);
    expect(await systemQuery("test", "select 1 as n")).toEqual([{ n: 1 }]);
  });
});

it("a snapshot's statements all see the state of its first, whatever others commit meanwhile", async () => {
  const tenantId = tenantIdFrom(newId());
  const count = "select count(*) as n from queues.tenant_turn where tenant_id = $1";
  const add = (): Promise<unknown> =>
    run(`insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ('${tenantId}', '${newId()}', 1)`);
  const countTwice = (isSnapshot: boolean): Promise<unknown> =>
    withTenant(
      { tenantId },
      async (tx) => {
        const before = await tx.query(count, [tenantId]);
        await add();
        return [before, await tx.query(count, [tenantId])];
      },
      { isSnapshot },
    );
  expect(await countTwice(true)).toEqual([[{ n: 0 }], [{ n: 0 }]]);
  expect(await countTwice(false)).toEqual([[{ n: 1 }], [{ n: 2 }]]);
});

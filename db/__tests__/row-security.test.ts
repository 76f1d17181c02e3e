// The promise of design section 3, read off Postgres' own catalogue.
import { describe, expect, it } from "vitest";
import { checkIsolation } from "../boot-check";
import { isolation } from "../connection";
import { appPool } from "../pool";
import { withSystem } from "../tenant";

interface TenantTable {
  name: string;
  enabled: boolean;
  forced: boolean;
  policies: string[];
  leading: string[];
  app_may: boolean | null;
}

function tenantTables(): Promise<TenantTable[]> {
  return withSystem("test", (tx) =>
    tx.query<TenantTable>(
      `select c.oid::regclass::text as name, c.relrowsecurity as enabled, c.relforcerowsecurity as forced,
              array(select pg_get_expr(p.polqual, p.polrelid) || ' / ' || coalesce(pg_get_expr(p.polwithcheck, p.polrelid), '') from pg_policy p where p.polrelid = c.oid) as policies,
              array(select a.attname::text from pg_index i join pg_attribute a on a.attrelid = i.indrelid and a.attnum = i.indkey[0] where i.indrelid = c.oid) as leading,
              has_table_privilege(current_user, c.oid, 'select, insert, update, delete') as app_may
         from pg_class c
         join pg_attribute t on t.attrelid = c.oid and t.attname = 'tenant_id' and not t.attisdropped
        where c.relkind in ('r', 'p')
        order by 1`,
    ),
  );
}

describe("every table with tenant_id", () => {
  it("is known here at all", async () => {
    expect((await tenantTables()).map((table) => table.name)).toEqual(
      expect.arrayContaining(["events.outbox", "events.inbox", "events.dead_letter", "queues.dead_letter"]),
    );
  });

  it("has row security enabled and forced", async () => {
    expect((await tenantTables()).filter((table) => !table.enabled || !table.forced)).toEqual([]);
  });

  it("has exactly one policy, which compares tenant_id with the local setting and admits the system scope", async () => {
    const expression = /tenant_id = \(NULLIF\(current_setting\('app\.tenant_id'::text, true\), ''::text\)\)::uuid/i;
    const wrong = (await tenantTables()).filter(
      ({ policies }) =>
        policies.length !== 1 || !expression.test(policies[0] ?? "") || !(policies[0] ?? "").includes("app.system"),
    );
    expect(wrong).toEqual([]);
  });

  it("has an index that starts with tenant_id", async () => {
    expect((await tenantTables()).filter((table) => !table.leading.includes("tenant_id"))).toEqual([]);
  });

  it("can be read and written by the role the app acts as", async () => {
    expect((await tenantTables()).filter((table) => table.app_may !== true)).toEqual([]);
  });
});

describe("the boot check", () => {
  it("says how isolation holds on this connection", async () => {
    expect(await isolation()).toEqual({ role: "groundwork_app" });
  });

  it("refuses a database in which a table with tenant_id has no forced row security, and names it", async () => {
    await appPool().query("create schema careless; create table careless.note (tenant_id uuid not null)");
    try {
      await expect(checkIsolation(appPool())).rejects.toMatchObject({
        kind: "misuse",
        message: expect.stringContaining("careless.note") as string,
      });
    } finally {
      await appPool().query("drop schema careless cascade");
    }
    expect(await checkIsolation(appPool())).toEqual({ role: "groundwork_app" });
  });
});

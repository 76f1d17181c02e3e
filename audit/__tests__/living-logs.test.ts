// The log of an organisation that is there does not end by any statement of the app: migration 59.
import { describe, expect, test } from "vitest";
import { organisationInsert } from "../../auth/store/accounts";
import { newId } from "../../db/ids";
import { systemQuery, tenantQuery, withSystem, withTenant, type TenantScope } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { defineAction } from "../action";
import { endLog } from "../erasure";
import { platformLog, recordForPlatform } from "../platform";
import { record } from "../record";
import { purgeAudit } from "../retention";
import { verifyPage } from "../verify";
import { age } from "./ageing";
import { pastTriggers } from "./past-triggers";

const done = defineAction("test.thing.done", {});
const newTenant = (): TenantScope => ({ tenantId: tenantIdFrom(newId()) });
const told = (text: string): object => ({
  kind: "insufficient_privilege",
  message: expect.stringContaining(text) as string,
});
const refused = told("of an organisation that is there does not end");
const goesOn = told("the head of an audit log only goes on");

describe("the log of an organisation that is there", () => {
  const live = async (): Promise<TenantScope> => {
    const scope = newTenant();
    await withSystem("test", (tx) =>
      organisationInsert(tx, { id: scope.tenantId, name: "Acme", createdAt: new Date() }),
    );
    for (let n = 0; n < 2; n++) await withTenant(scope, (tx) => record(tx, done, { fields: {} }));
    return scope;
  };
  const remove = (scope: TenantScope): Promise<unknown> =>
    systemQuery("test", "delete from auth.organisation where id = $1", [scope.tenantId]);
  const END = "update audit.head set gone_at = now() where tenant_id = $1";
  const BEGIN_ENDED = `insert into audit.head (tenant_id, seq, at, hash, kept_after, gone_at) values ($1, 1, now(), '', '', now())
    on conflict (tenant_id) do nothing`;

  test("does not end: neither by saying that it is gone, nor by removing its head, by a statement of the app", async () => {
    const scope = await live();
    const of = [scope.tenantId];
    await expect(tenantQuery(scope, END, of)).rejects.toMatchObject(refused);
    await expect(systemQuery("test", END, of)).rejects.toMatchObject(refused);
    await expect(withSystem("test", (tx) => endLog(tx, scope.tenantId))).rejects.toMatchObject(refused);
    await expect(systemQuery("test", BEGIN_ENDED, of)).rejects.toMatchObject(refused);
    // As though it had been said before: of a log that is past its retention, and has no entry any more.
    await age(scope, 100);
    await purgeAudit(95);
    await pastTriggers([END], of);
    const away = "delete from audit.head where tenant_id = $1";
    await expect(tenantQuery(scope, away, of)).rejects.toMatchObject(refused);
    await expect(systemQuery("test", away, of)).rejects.toMatchObject(refused);
    await pastTriggers(["update audit.head set gone_at = null where tenant_id = $1"], of);
    expect(await verifyPage(scope)).toEqual({ checked: 0, through: 2, isDone: true });
    await remove(scope);
  });

  test("ends in the transaction in which the organisation does; the installation's never", async () => {
    const scope = await live();
    await withSystem("test", async (tx) => {
      await tx.execute("delete from auth.organisation where id = $1", [scope.tenantId]);
      await endLog(tx, scope.tenantId);
    });
    await age(scope, 100);
    await purgeAudit(95);
    expect(await systemQuery("test", "select from audit.head where tenant_id = $1", [scope.tenantId])).toEqual([]);
    await withSystem("test", (tx) => recordForPlatform(tx, done, { fields: {} }));
    await expect(systemQuery("test", END, [platformLog.tenantId])).rejects.toMatchObject(refused);
  });

  // Row security asks for the token once a statement: of the first row, of which this one changes nothing. With the second it is away.
  test.each([
    ["its organisation, and end it", "gone_at", "now()", refused],
    ["its young entries, and let it begin behind them", "kept_from", "seq + 1", goesOn],
  ])("does not end where a statement of the app hides %s", async (_what, column, value, why) => {
    const scopes = [await live(), await live()];
    const hidden = `update audit.head set ${column} =
        case when set_config('app.row', (coalesce(nullif(current_setting('app.row', true), ''), '0')::int + 1)::text, true) = '2'
             then case when set_config('app.capability', '', true) = '' then ${value} end else ${column} end
      where tenant_id = any($1::uuid[])`;
    await expect(systemQuery("test", hidden, [scopes.map(({ tenantId }) => tenantId)])).rejects.toMatchObject(why);
    for (const scope of scopes) await remove(scope);
  });
});

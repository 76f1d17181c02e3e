// That all logs of an installation stand under seals is an entry of its own log: who says it and when, what counts as it, and that
// retention leaves one. The installation's log is begun anew here, as before anybody said so.
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { withSystem } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { defineAction } from "../action";
import { platformLog, recordForPlatform } from "../platform";
import { purgeAudit } from "../retention";
import { sealByCommand } from "../seal-command";
import { maintainSeals, sealLogs } from "../sealing";
import { areLogsSealed, isSayingDue } from "../sealed-installation";
import { entryList } from "../store";
import { verifyPage } from "../verify";
import { age } from "./ageing";
import { newLog, of, owner, STRIP, unsealed, write } from "./sealed-logs";

const looked = defineAction("test.log.looked", {});
const saidSo = async (): Promise<number> =>
  (await entryList(platformLog, "audit.logs.sealed", 50, undefined)).rows.length;
const END = [`delete from audit.entry ${of}`, `delete from audit.head ${of}`];

/** No log of a suite before is in the way, and nobody has said anything. */
beforeEach(async () => {
  const broken: string[] = [];
  await sealLogs((tenant, sealing) => {
    if (sealing === "broken") broken.push(tenant);
  });
  for (const tenant of broken) await owner({ tenantId: tenantIdFrom(tenant) }, ...END);
  await owner(platformLog, ...END);
  await withSystem("test", (tx) => recordForPlatform(tx, looked, { fields: {} }));
});
afterAll(async () => {
  await owner(platformLog, ...END);
  await sealLogs();
});

describe("upkeep", () => {
  test("says that all logs are sealed where none lacks a seal; then a missing one is a break", async () => {
    const scope = await newLog(1);
    expect(await areLogsSealed()).toBe(false);
    await maintainSeals();
    expect(await saidSo()).toBe(1);
    const { rows } = await entryList(platformLog, "audit.logs.sealed", 1, undefined);
    expect(rows).toMatchObject([{ actor: "system:audit.seal", fields: { sealed: 0 } }]);
    await maintainSeals();
    expect(await saidSo()).toBe(1);
    await owner(scope, STRIP);
    expect(await verifyPage(scope)).toMatchObject(unsealed(1));
    await maintainSeals();
    expect(await verifyPage(scope)).toMatchObject(unsealed(1));
  });

  test("seals nothing and says nothing while a log lacks a seal; once a command has sealed it, it does", async () => {
    const scope = await newLog(1);
    await owner(scope, STRIP);
    await maintainSeals();
    expect(await saidSo()).toBe(0);
    expect(await verifyPage(scope)).toEqual({
      checked: 1,
      through: 1,
      isDone: true,
      unsealed: { start: false, after: 0 },
    });
    expect(await sealByCommand(scope.tenantId, () => undefined)).toBe(true);
    await maintainSeals();
    expect(await saidSo()).toBe(1);
    await write(scope);
    expect(await verifyPage(scope)).toEqual({ checked: 3, through: 3, isDone: true });
  });

  test("says nothing while the installation's log is broken: from that may be missing that all were sealed", async () => {
    await owner(platformLog, `update audit.entry set actor = 'user:eve' ${of}`);
    await maintainSeals();
    expect(await saidSo()).toBe(0);
    expect(await areLogsSealed()).toBe(false);
  });
});

describe("what says that all are sealed", () => {
  test("is said again each month, and before retention removes anything", async () => {
    await age(platformLog, 365);
    expect(await isSayingDue()).toBe(false);
    await sealLogs();
    expect([await areLogsSealed(), await isSayingDue()]).toEqual([true, false]);
    await age(platformLog, 29);
    await purgeAudit(3_650);
    expect([await isSayingDue(), await saidSo()]).toEqual([false, 1]);
    await age(platformLog, 2);
    expect(await isSayingDue()).toBe(true);
    await purgeAudit(3_650);
    expect(await saidSo()).toBe(2);
    await age(platformLog, 31);
    await maintainSeals();
    expect(await saidSo()).toBe(3);
  });

  test("counts only within the chain, and as the app wrote it", async () => {
    await owner(
      platformLog,
      `insert into audit.entry select tenant_id, 7, gen_random_uuid(), at, 'audit.logs.sealed', actor, target_type, target_id, correlation_id, fields, personal, personal_digest, hash
         from audit.entry ${of} and seq = 1`,
    );
    expect(await areLogsSealed()).toBe(false);
    await owner(platformLog, `delete from audit.entry ${of} and seq = 7`);
    await owner(platformLog, `update audit.entry set action = 'audit.logs.sealed' ${of} and seq = 1`);
    expect(await areLogsSealed()).toBe(false);
  });
});

test("all logs are sealed by command, of each only what lacks a seal, and the installation's log tells of each", async () => {
  const [one, other] = [await newLog(2), await newLog(1)];
  await owner(one, STRIP);
  const { logs, ...sum } = await sealLogs();
  expect(sum).toEqual({ sealed: 1, broken: 0, left: 0 });
  expect(logs).toBeGreaterThan(1);
  const { rows } = await entryList(platformLog, "audit.log.sealed", 10, undefined);
  expect(rows).toMatchObject([{ targetId: one.tenantId, fields: { from: 1, through: 2, override: null } }]);
  expect(await verifyPage(one)).toEqual({ checked: 3, through: 3, isDone: true });
  expect(await verifyPage(other)).toEqual({ checked: 1, through: 1, isDone: true });
  expect(await sealLogs()).toMatchObject({ sealed: 0, broken: 0, left: 0 });
});

// A master key that is replaced leaves every log under seals. In a process of its own, because that has one audit key.
import { afterAll, expect, test } from "vitest";
import { systemQuery, type TenantScope } from "../../db/tenant";
import { keyIdOf, masterKeyOfTests } from "../../security/derived-key";
import { masterKeyset } from "../../security/envelope";
import { startAudit } from "../key";
import { purgeAudit } from "../retention";
import { sealOf } from "../seal";
import { resealHeads, sealLog } from "../sealing";
import { headFind } from "../store";
import { sealedThrough, verifyPage } from "../verify";
import { age } from "./ageing";
import { CUT, newLog, owner, write } from "./sealed-logs";

const first = masterKeyOfTests?.() ?? "";
const second = "another-master-key-of-more-than-32-characters";
const use = (...keys: string[]): void => startAudit("audit", () => keys.join(","));
const idsOf = async (scope: TenantScope): Promise<unknown> =>
  (
    await systemQuery(
      "test",
      `select encode(substring(start_seal for 4), 'hex') as start, encode(substring(end_seal for 4), 'hex') as end from audit.head where tenant_id = $1`,
      [scope.tenantId],
    )
  )[0];
const idOf = (key: string): string => keyIdOf(key).toString("hex");

// All logs of the database stand under the key of tests again, for the suites that follow.
afterAll(async () => {
  use(first, second);
  await resealHeads();
  use(first);
});

test("leaves every log under seals: those that are written to, and those that nobody writes to", async () => {
  const [written, idle] = [await newLog(), await newLog()];
  for (const log of [written, idle]) await age(log, 100, 2);
  await purgeAudit(95);
  use(second, first);
  await write(written);
  expect(await idsOf(written)).toEqual({ start: idOf(first), end: idOf(second) });
  expect(await resealHeads()).toBeGreaterThan(1);
  for (const log of [written, idle]) {
    expect(await idsOf(log)).toEqual({ start: idOf(second), end: idOf(second) });
    expect(await verifyPage(log)).toMatchObject({ isDone: true });
    expect((await verifyPage(log)).broken).toBeUndefined();
  }
  expect(await sealLog(idle.tenantId)).toBe("was");
  // The one before alone, as a thief of it would have it, neither opens them nor goes on with them.
  use(first);
  expect(await sealedThrough(idle, await headFind(idle))).toBe(0);
  await write(idle);
  use(second, first);
  expect(await verifyPage(idle)).toMatchObject({ unsealed: { start: false, after: 4 } });
});

test("leaves what no key made as it is: who wrote a seal of their own gets no other one for it", async () => {
  use(first);
  const scope = await newLog();
  const forged = Buffer.concat([Buffer.from("none"), Buffer.alloc(32, 1)]);
  await systemQuery("test", "update audit.head set end_seal = $2 where tenant_id = $1", [scope.tenantId, forged]);
  await resealHeads();
  expect((await headFind(scope)).endSeal).toEqual(forged);
  expect(await verifyPage(scope)).toMatchObject({ broken: { seq: 4, what: "unsealed" } });
});

test("that is for entries alone seals nothing any more: who took it can't end a log where they like", async () => {
  use(first);
  const [scope, sound] = [await newLog(), await newLog()];
  use(second, first);
  await resealHeads();
  await owner(scope, ...CUT);
  const { tenantId } = scope;
  const { hash } = await headFind(scope);
  const seal = sealOf(masterKeyset(first, "audit log seals"), { of: "end", tenantId, seq: 3, hash });
  const forge = "update audit.head set end_seal = $2, sealed_seq = 3 where tenant_id = $1";
  await systemQuery("test", forge, [tenantId, seal]);
  expect(await verifyPage(scope)).toEqual({ checked: 3, through: 3, isDone: true });
  use(second, `entries:${first}`);
  expect(await verifyPage(scope)).toMatchObject({ broken: { seq: 3, what: "unsealed" } });
  await resealHeads();
  await write(scope);
  expect(await verifyPage(scope)).toMatchObject({ broken: { seq: 4, what: "unsealed" } });
  // Its entries are as they were written, and seals of the present key cover them.
  await write(sound);
  expect(await verifyPage(sound)).toEqual({ checked: 5, through: 5, isDone: true });
  expect(() => use(`entries:${first}`)).toThrow("is for entries of audit logs alone");
  use(second, first);
});

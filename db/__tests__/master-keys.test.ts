// The life of a master key: one after the other, side by side, retired, and what becomes of a process that has only an old one.
import type { PoolClient } from "pg";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { tenantIdFrom } from "../../security/principal";
import { admitSystem, masterKeyIds, useMasterKey } from "../capability";
import { askAgain, isolation } from "../connection";
import { newId } from "../ids";
import { listMasterKeys, MasterKeyInUseError, retireMasterKey } from "../master-keys";
import { appPool } from "../pool";
import { nameUnopened, watchMasterKey } from "../start";
import { systemQuery, tenantQuery, withTenant } from "../tenant";
import { ownerPool } from "./owner";

const kept = await vi.hoisted(async () => (await import("../../security/__tests__/kept-lines")).keepLines());
const [first, second, third] = ["a", "b", "c"].map((letter) => `${letter}-master-key-of-more-than-32-characters`) as [
  string,
  string,
  string,
];
const idOf = (key: string): string => {
  useMasterKey(() => key);
  return masterKeyIds()[0] ?? "";
};
const ids = { first: idOf(first), second: idOf(second), third: idOf(third) };
const noted = vi.fn(() => Promise.resolve());
let tenant = { tenantId: tenantIdFrom(newId()) };
const write = (): Promise<unknown> =>
  tenantQuery(tenant, "insert into queues.tenant_turn (tenant_id, queue, finish_tag) values ($1, $2, 1) returning 1", [
    tenant.tenantId,
    newId(),
  ]);
const seen = async (): Promise<number> =>
  (await tenantQuery(tenant, "select 1 from queues.tenant_turn where tenant_id = $1", [tenant.tenantId])).length;
const standings = async (): Promise<[string, string, boolean][]> =>
  (await listMasterKeys()).map(({ id, standing, retiredAt }) => [id, standing, retiredAt !== null]);

/** As a database that no process has come to yet; other files of this process use it too. */
async function forget(): Promise<void> {
  await ownerPool().query("delete from db.capability");
  await ownerPool().query("delete from db.master_key");
}
beforeEach(async () => {
  await forget();
  tenant = { tenantId: tenantIdFrom(newId()) };
  noted.mockClear();
});
afterAll(async () => {
  kept.stop();
  await forget();
});

describe("a master key", () => {
  test("that replaces another is let in with it, and all that was written is seen with either", async () => {
    useMasterKey(() => first);
    await write();
    useMasterKey(() => `${second},${first}`);
    expect(await seen()).toBe(1);
    expect(await standings()).toEqual([
      [ids.first, "set", false],
      [ids.second, "present", false],
    ]);
    useMasterKey(() => second);
    expect(await seen()).toBe(1);
  });

  test("that is not the database's is refused, and says its id", async () => {
    useMasterKey(() => first);
    await isolation();
    useMasterKey(() => second);
    await expect(withTenant(tenant, (tx) => tx.query("select 1"))).rejects.toMatchObject({
      kind: "misuse",
      message: expect.stringContaining(`belongs to another MasterKey than ${ids.second}`) as string,
    });
  });

  test("of two first ones at once, on a database that is new, has the database for itself", async () => {
    const clients = await Promise.all([appPool().connect(), appPool().connect()]);
    const admit = (key: string, client: PoolClient): Promise<void> => {
      useMasterKey(() => key);
      return admitSystem(client);
    };
    try {
      const both = await Promise.allSettled([admit(first, clients[0]), admit(second, clients[1])]);
      expect(both.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
      expect(both.find(({ status }) => status === "rejected")).toMatchObject({
        reason: { kind: "misuse", message: expect.stringContaining("belongs to another MasterKey") as string },
      });
    } finally {
      for (const client of clients) client.release();
    }
    const { rows } = await ownerPool().query("select 1 from db.capability where of_tenant is null");
    expect(rows).toHaveLength(1);
  });
});

describe("a master key is retired", () => {
  test("with its tokens, is written down, and comes back neither alone nor in front of another", async () => {
    useMasterKey(() => first);
    await write();
    useMasterKey(() => `${second},${first}`);
    await seen();
    expect(await retireMasterKey(ids.first, [], noted)).toBe(2);
    expect(noted).toHaveBeenCalledTimes(1);
    expect(await retireMasterKey(ids.first, [], noted)).toBeUndefined();
    expect(await retireMasterKey("ffffffff", [], noted)).toBeUndefined();
    expect(noted).toHaveBeenCalledTimes(1);
    expect(await standings()).toEqual([
      [ids.first, "set", true],
      [ids.second, "present", false],
    ]);
    expect(await seen()).toBe(1);
    for (const secret of [first, `${first},${second}`]) {
      useMasterKey(() => secret);
      await expect(isolation()).rejects.toMatchObject({
        kind: "misuse",
        message: `the master key ${ids.first}, which is the first in the secret MasterKey, was retired on this database: put the one that replaced it first`,
      });
      await expect(seen()).rejects.toMatchObject({ kind: "misuse" });
    }
    const { rows } = await ownerPool().query("select distinct encode(key_id, 'hex') as id from db.capability");
    expect(rows).toEqual([{ id: ids.second }]);
  });

  test("not while a process acts by it, by whatever way it asks, nor while something is sealed with it", async () => {
    useMasterKey(() => first);
    await isolation();
    useMasterKey(() => `${second},${first}`);
    await isolation();
    const sealed = [
      { what: "signing keys", keyId: ids.first, rows: 2 },
      { what: "data keys", keyId: ids.second, rows: 3 },
    ];
    await expect(retireMasterKey(ids.second, [], noted)).rejects.toThrow(MasterKeyInUseError);
    await expect(retireMasterKey(ids.first, sealed, noted)).rejects.toThrow(
      `${ids.first} has sealed signing keys (2): the hourly upkeep`,
    );
    await expect(
      systemQuery("test", "select db.retire_master_key(decode($1, 'hex'))", [ids.second]),
    ).rejects.toMatchObject({ kind: "insufficient_privilege" });
    for (const sql of ["select db.retire_master_key('\\x00000000')", "select * from db.list_master_keys()"])
      await expect(tenantQuery(tenant, sql)).rejects.toMatchObject({ kind: "insufficient_privilege" });
    expect((await standings()).map(([, , isRetired]) => isRetired)).toEqual([false, false]);
    expect(noted).not.toHaveBeenCalled();
  });

  test("under a process that still acts by it: it ends within half a minute, and refuses every use from then on", async () => {
    useMasterKey(() => first);
    await write();
    useMasterKey(() => `${second},${first}`);
    await retireMasterKey(ids.first, [], noted);
    useMasterKey(() => first);
    const end = vi.fn();
    await watchMasterKey(end, askAgain, true, 1);
    expect(end).toHaveBeenCalledWith(1);
    await expect(seen()).rejects.toMatchObject({ kind: "misuse" });
  });
});

test("rows that no key opens are named with the key that sealed them, and others are not", async () => {
  useMasterKey(() => first);
  await nameUnopened([
    () =>
      Promise.resolve([
        { what: "signing keys", keyId: ids.first, rows: 2 },
        { what: "data keys of organisations", keyId: ids.third, rows: 7 },
      ]),
    () => Promise.reject(new Error("away")),
  ]);
  const told = kept.lines.join("\n");
  expect(told).toContain("data keys of organisations were sealed with a master key that is not set");
  expect(told).toContain(ids.third);
  expect(told).not.toContain("signing keys were");
});

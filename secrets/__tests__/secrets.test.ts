// What an organisation entrusts to the app: goes in by an endpoint, out to code alone, and with its organisation for good.
import { secrets } from "~encore/clients";
import { inspect } from "node:util";
import { afterEach, describe, expect, test, vi } from "vitest";
import { systemQuery, withSystem, withTenant } from "../../db/tenant";
import { newId } from "../../db/ids";
import { organisationDeleted } from "../../events/catalog/auth";
import { emit } from "../../events/outbox";
import { createCaller, registerCaller, runRelayAndWorkers, type Caller } from "../../testing";
import { reasonOf } from "../../security/errors";
import "../subscriptions";
import { DATA_KEYS_MAX, putSecret, readSecret, rotateTenantKey } from "../tenant-secret";
import { useMasterKey } from "../tenant-keys";
import { purgeTenantKeys, rewrapTenantKeys } from "../upkeep";

const FIRST = "the-test-databases-master-key-which-protects-nothing";
const SECOND = "another-master-key-that-is-long-enough-for-a-test";
const VALUE = "sk-live-0123456789abcdefghij";

afterEach(() => useMasterKey(() => FIRST));

const reason = (promise: Promise<unknown>): Promise<string | undefined> =>
  promise.then(
    () => undefined,
    (error: unknown) => reasonOf(error),
  );
const rotateKey = (of: Caller): Promise<number> => withTenant(of, (tx) => rotateTenantKey(tx, of));
const stored = async (of: Caller): Promise<string> =>
  JSON.stringify(await systemQuery("test", "select s::text from secrets.secret s where tenant_id = $1", [of.tenantId]));
const keyCount = async (of: Caller): Promise<number> =>
  (
    await systemQuery<{ n: number }>("test", "select count(*)::int as n from secrets.tenant_key where tenant_id = $1", [
      of.tenantId,
    ])
  )[0]!.n;

const ageKeys = (of: Caller, hours: number): Promise<unknown> =>
  systemQuery(
    "test",
    "update secrets.tenant_key set created_at = created_at - make_interval(hours => $2) where tenant_id = $1",
    [of.tenantId, hours],
  );

describe("a secret of an organisation", () => {
  test("is listed without what it is, and read by code alone", async () => {
    const owner = await registerCaller();
    expect(await secrets.put({ name: "openai", value: VALUE }, owner)).toEqual({ name: "openai", version: 1 });
    expect(await secrets.put({ name: "short", value: "hunter2" }, owner)).toEqual({ name: "short", version: 1 });
    const { secrets: listed } = await secrets.list(owner);
    expect(listed).toEqual([
      { name: "openai", hint: "ghij", version: 1, createdAt: expect.any(String), updatedAt: expect.any(String) },
      { name: "short", hint: "", version: 1, createdAt: expect.any(String), updatedAt: expect.any(String) },
    ]);
    const text = await readSecret(owner, "openai");
    expect(text.reveal()).toBe(VALUE);
    expect(`${String(text)} ${JSON.stringify({ text })} ${inspect({ text })} ${text}`).not.toContain("sk-live");
    expect(await stored(owner)).not.toContain(Buffer.from(VALUE).toString("hex"));
    expect((await secrets.list(owner)).secrets[0]?.lastUsedAt).toEqual(expect.any(String));
  });

  test("is replaced by what is stored under its name, and gone when it is removed", async () => {
    const owner = await registerCaller();
    await secrets.put({ name: "key", value: "before" }, owner);
    await readSecret(owner, "key");
    expect(await secrets.put({ name: "key", value: "after" }, owner)).toEqual({ name: "key", version: 2 });
    expect((await secrets.list(owner)).secrets[0]?.lastUsedAt).toBeUndefined();
    expect((await readSecret(owner, "key")).reveal()).toBe("after");
    await secrets.remove({ name: "key" }, owner);
    expect(await reason(readSecret(owner, "key"))).toBe("secret_not_found");
    expect(await reason(secrets.remove({ name: "key" }, owner))).toBe("secret_not_found");
  });

  test("is nobody else's: another organisation neither sees nor reads nor removes it", async () => {
    const [owner, stranger] = [await registerCaller(), await registerCaller()];
    await secrets.put({ name: "key", value: VALUE }, owner);
    expect(await secrets.list(stranger)).toEqual({ secrets: [] });
    expect(await reason(readSecret(stranger, "key"))).toBe("secret_not_found");
    expect(await reason(secrets.remove({ name: "key" }, stranger))).toBe("secret_not_found");
    expect((await readSecret(owner, "key")).reveal()).toBe(VALUE);
  });

  test("does not open in another row, of the organisation or of another one that has a copy of its key", async () => {
    const [owner, other] = [await registerCaller(), await registerCaller()];
    await putSecret(owner, "a", "of a");
    await putSecret(owner, "b", "of b");
    await putSecret(other, "a", "of the other");
    await systemQuery(
      "test",
      "update secrets.secret set sealed = (select sealed from secrets.secret where tenant_id = $1 and name = 'a') where tenant_id = $1 and name = 'b'",
      [owner.tenantId],
    );
    expect(await reason(readSecret(owner, "b"))).toBe("secret_unreadable");
    await systemQuery(
      "test",
      "update secrets.tenant_key k set sealed = o.sealed from secrets.tenant_key o where k.tenant_id = $2 and o.tenant_id = $1",
      [owner.tenantId, other.tenantId],
    );
    expect(await reason(readSecret(other, "a"))).toBe("secret_unreadable");
    expect(await reason(putSecret(other, "b", "under the copied key"))).toBe("secret_unreadable");
    expect((await readSecret(owner, "a")).reveal()).toBe("of a");
  });

  test.each([
    ["", "x"],
    ["Upper", "x"],
    ["1st", "x"],
    [`a${"b".repeat(64)}`, "x"],
    ["name", ""],
    ["name", "é".repeat(8193)],
  ])("is refused as %j with %j", async (name, value) => {
    expect(await reason(putSecret(createCaller("owner"), name, value))).toBe("invalid_request");
  });

  test("is one of two hundred at most", async () => {
    const owner = await registerCaller();
    await putSecret(owner, "first", "x");
    await systemQuery(
      "test",
      `insert into secrets.secret (id, tenant_id, name, sealed, key_id, hint)
       select gen_random_uuid(), tenant_id, 'n' || n, sealed, key_id, '' from secrets.secret, generate_series(1, 199) n where tenant_id = $1`,
      [owner.tenantId],
    );
    expect(await reason(putSecret(owner, "one-more", "x"))).toBe("too_many_secrets");
    await putSecret(owner, "first", "y");
    expect((await secrets.list(owner)).secrets).toHaveLength(200);
  });

  test("leaves its name in the audit log, and nothing of itself", async () => {
    const owner = await registerCaller();
    await secrets.put({ name: "key", value: VALUE }, owner);
    await secrets.rotate(owner);
    await secrets.remove({ name: "key" }, owner);
    const entries = await systemQuery<{ action: string; fields: unknown }>(
      "test",
      "select action, fields from audit.entry where tenant_id = $1 and action like 'secrets.%' order by seq",
      [owner.tenantId],
    );
    expect(entries).toEqual([
      { action: "secrets.secret.stored", fields: { name: "key", version: 1 } },
      { action: "secrets.key.rotated", fields: { secrets: 1 } },
      { action: "secrets.secret.removed", fields: { name: "key" } },
    ]);
  });
});

describe("the data key of an organisation", () => {
  test("is replaced fifty times at most until those go that seal nothing: whoever reads a secret opens them all", async () => {
    const owner = await registerCaller();
    await putSecret(owner, "a", "of a");
    for (let n = 1; n < DATA_KEYS_MAX; n++) await rotateKey(owner);
    expect(await reason(rotateKey(owner))).toBe("too_many_data_keys");
    expect(await keyCount(owner)).toBe(DATA_KEYS_MAX);
    expect((await readSecret(owner, "a")).reveal()).toBe("of a");
    await ageKeys(owner, 3);
    await purgeTenantKeys();
    expect(await keyCount(owner)).toBe(1);
    expect(await reason(rotateKey(owner))).toBeUndefined();
  });

  test("is replaced while what it sealed stays readable; the one before goes when nothing needs it", async () => {
    const owner = await registerCaller();
    await putSecret(owner, "a", "of a");
    await putSecret(owner, "b", "of b");
    const before = await stored(owner);
    expect(await rotateKey(owner)).toBe(2);
    expect(await stored(owner)).not.toBe(before);
    expect((await readSecret(owner, "a")).reveal()).toBe("of a");
    expect(await keyCount(owner)).toBe(2);
    await purgeTenantKeys();
    expect(await keyCount(owner)).toBe(2);
    await ageKeys(owner, 2);
    await purgeTenantKeys();
    expect(await keyCount(owner)).toBe(1);
    expect((await readSecret(owner, "b")).reveal()).toBe("of b");
  });

  test("that still sealed something stays", async () => {
    const owner = await registerCaller();
    await putSecret(owner, "a", "of a");
    await withSystem("test", (tx) =>
      tx.execute(
        "insert into secrets.tenant_key (id, tenant_id, sealed, key_id, created_at) select $1, tenant_id, sealed, '\\x00000000', now() from secrets.tenant_key where tenant_id = $2",
        [newId(), owner.tenantId],
      ),
    );
    await ageKeys(owner, 2);
    await purgeTenantKeys();
    expect(await keyCount(owner)).toBe(2);
  });

  test("moves under a new master key, after which the one before can go", async () => {
    const owner = await registerCaller();
    await putSecret(owner, "a", "of a");
    useMasterKey(() => `${SECOND},${FIRST}`);
    expect((await readSecret(owner, "a")).reveal()).toBe("of a");
    expect(await rewrapTenantKeys()).toBeGreaterThan(0);
    expect(await rewrapTenantKeys()).toBe(0);
    useMasterKey(() => SECOND);
    expect((await readSecret(owner, "a")).reveal()).toBe("of a");
    await putSecret(owner, "b", "of b");
    useMasterKey(() => FIRST);
    expect(await reason(readSecret(owner, "a"))).toBe("secret_unreadable");
    expect(await reason(putSecret(owner, "c", "of c"))).toBe("secret_unreadable");
    useMasterKey(() => `${FIRST},${SECOND}`);
    await rewrapTenantKeys();
  });
});

describe("an organisation that is gone", () => {
  runRelayAndWorkers();

  test("leaves neither its keys nor its secrets", async () => {
    const [owner, other] = [await registerCaller(), await registerCaller()];
    await putSecret(owner, "a", "of a");
    await putSecret(other, "a", "of the other");
    const id = owner.tenantId;
    const select = "select name, sealed, key_id, hint from secrets.secret where tenant_id = $1";
    const [copy] = await systemQuery<Record<"name" | "sealed" | "key_id" | "hint", unknown>>("test", select, [id]);
    await withSystem("test", (tx) =>
      emit(
        tx,
        organisationDeleted,
        { organisationId: id },
        { aggregateType: "organisation", aggregateId: id, tenantId: null },
      ),
    );
    await vi.waitFor(async () => expect(await keyCount(owner)).toBe(0), { timeout: 55_000, interval: 50 });
    expect(await stored(owner)).toBe("[]");
    expect((await readSecret(other, "a")).reveal()).toBe("of the other");
    // A copy of what was sealed is worth nothing: it is put back, and there is no key that opens it.
    await systemQuery(
      "test",
      "insert into secrets.secret (id, tenant_id, name, sealed, key_id, hint) values (gen_random_uuid(), $1, $2, $3, $4, $5)",
      [id, copy?.name, copy?.sealed, copy?.key_id, copy?.hint],
    );
    expect(await reason(readSecret(owner, "a"))).toBe("secret_unreadable");
  });
});

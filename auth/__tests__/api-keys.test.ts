import { auth, vectors } from "~encore/clients";
import { describe, expect, test, vi } from "vitest";
import { systemQuery } from "../../db/tenant";
import { Limits, limits } from "../../security/limits";
import { registerCaller, type RegisteredCaller } from "../../testing";
import { createKeyText } from "../key-text";
import * as store from "../store/api-keys";
import { purgeEnded } from "../upkeep";
import { authenticate } from "../gateway";
import { identify } from "./callers";
import { mailsTo } from "./mails";
import { reason } from "./people";

const make = (caller: RegisteredCaller, permissions?: string[]): ReturnType<typeof auth.createApiKey> =>
  auth.createApiKey({ name: "ci", ...(permissions === undefined ? {} : { permissions }) }, caller);
/** What is remembered of a key is forgotten. */
const aMomentLater = (): void => {
  const now = performance.now();
  vi.spyOn(performance, "now").mockImplementation(() => now + 2_000);
};

describe("an API key", () => {
  test("is shown once, stored as a hash, and acts within its permissions", async () => {
    const owner = await registerCaller();
    const { id, key, permissions } = await make(owner, ["document.read", "member.manage"]);
    expect(permissions).toEqual(["document.read"]);
    const rows = JSON.stringify(await systemQuery("test", "select k::text from auth.api_key k"));
    expect(rows).not.toContain(key.slice(9));
    const { keys } = await auth.listApiKeys({}, owner);
    expect(keys).toEqual([
      {
        id,
        name: "ci",
        prefix: key.slice(0, 9),
        permissions: ["document.read"],
        networks: [],
        createdBy: owner.principal.subjectId,
        createdAt: expect.any(String),
        expiresAt: expect.any(String),
      },
    ]);
    const authData = await identify(key);
    expect(authData).toEqual({
      userID: id,
      tenantId: owner.tenantId,
      kind: "key",
      scope: "document.read",
      keyDigest: expect.stringMatching(/^[\w-]{11}$/) as string,
    });
    expect(await vectors.listDocuments({}, { authData })).toEqual({ documents: [] });
    expect(await reason(vectors.ingest({ source: "a", text: "b" }, { authData }))).toBe("permission_denied");
    expect(await reason(auth.listSessions({ authData }))).toBe("permission_denied");
    expect(await auth.me({ authData })).toEqual({
      kind: "key",
      organisation: { id: owner.tenantId, name: "Acme" },
      permissions: ["document.read"],
      organisations: [],
    });
    expect((await auth.listApiKeys({}, owner)).keys[0]?.lastUsedAt).toEqual(expect.any(String));
  });

  test("that was good stays good while others from its address are invented, which soon reach no database", async () => {
    const strict = new Limits({ scale: 0.05 }); // thirty points: three forged ones
    vi.spyOn(limits, "assertFewFailures").mockImplementation(strict.assertFewFailures.bind(strict));
    vi.spyOn(limits, "countFailure").mockImplementation(strict.countFailure.bind(strict));
    const { key, id } = await make(await registerCaller());
    const another = await make(await registerCaller());
    await identify(key);
    const looked = vi.spyOn(store, "apiKeyFind");
    const outcomes: (string | undefined)[] = [];
    for (let i = 0; i < 5; i++) outcomes.push(await reason(identify(createKeyText().text)));
    expect(outcomes).toEqual([...Array<string>(3).fill("invalid_token"), "rate_limited", "rate_limited"]);
    expect(looked).toHaveBeenCalledTimes(3);
    aMomentLater();
    expect(await identify(key)).toMatchObject({ userID: id });
    // What this process has not seen cannot be told from an invented one without the database.
    expect(await reason(identify(another.key))).toBe("rate_limited");
    vi.restoreAllMocks();
  });

  test("never has rights over people, keys and the organisation, and nothing its maker has not", async () => {
    const owner = await registerCaller();
    const { permissions } = await make(owner);
    expect(permissions).toContain("document.write");
    for (const kept of ["member.manage", "api_key.manage", "organisation.delete", "audit.personal"])
      expect(permissions).not.toContain(kept);
    expect(await reason(make(owner, ["member.manage"]))).toBe("invalid_request");
    expect(await reason(make(owner, ["document.burn"]))).toBe("invalid_request");
    const { key } = await make(owner, ["document.read", "document.write"]);
    await systemQuery("test", "update auth.membership set role = 'viewer' where account_id = $1", [
      owner.principal.subjectId,
    ]);
    expect(await identify(key)).toMatchObject({ scope: "document.read" });
    aMomentLater();
    await systemQuery("test", "delete from auth.membership where account_id = $1", [owner.principal.subjectId]);
    expect(await reason(identify(key))).toBe("invalid_token");
    vi.restoreAllMocks();
  });

  test("is asked for once by however many requests, and refused within two seconds of its end", async () => {
    const owner = await registerCaller();
    const [revoked, expired] = [await make(owner), await make(owner)];
    const asked = vi.spyOn(store, "apiKeyFind");
    await Promise.all(Array.from({ length: 20 }, () => identify(revoked.key)));
    await identify(revoked.key);
    expect(asked).toHaveBeenCalledTimes(1);
    await identify(expired.key);
    await auth.revokeApiKey({ id: revoked.id }, owner);
    await systemQuery("test", "update auth.api_key set expires_at = now() where id = $1", [expired.id]);
    aMomentLater();
    for (const { key } of [revoked, expired]) expect(await reason(identify(key))).toBe("invalid_token");
    vi.restoreAllMocks();
    expect(await reason(auth.revokeApiKey({ id: revoked.id }, owner))).toBe("api_key_not_found");
  });

  test("of another organisation is neither listed nor revoked, and a wrong one asks no database", async () => {
    const [owner, stranger] = [await registerCaller(), await registerCaller()];
    const { id, key } = await make(owner);
    expect((await auth.listApiKeys({}, stranger)).keys).toEqual([]);
    for (const wrong of [id, "x"])
      expect(await reason(auth.revokeApiKey({ id: wrong }, stranger))).toBe("api_key_not_found");
    const asked = vi.spyOn(store, "apiKeyFind");
    expect(await reason(identify(`${key.slice(0, -1)}!`))).toBe("invalid_token");
    expect(asked).not.toHaveBeenCalled();
    expect(await reason(identify(createKeyText().text))).toBe("invalid_token");
    expect(asked).toHaveBeenCalledTimes(1);
    vi.restoreAllMocks();
    expect(await identify(key)).toMatchObject({ userID: id });
  });

  test("leaves events and audit entries, and goes a month after its end", async () => {
    const owner = await registerCaller();
    const [ended, gone] = [await make(owner), await make(owner)];
    await auth.revokeApiKey({ id: gone.id }, owner);
    const said = await systemQuery<{ type: string }>(
      "test",
      "select type from events.outbox where tenant_id = $1 and type like 'auth.api-key.%' order by position",
      [owner.tenantId],
    );
    expect(said.map(({ type }) => type)).toEqual([
      "auth.api-key.created",
      "auth.api-key.created",
      "auth.api-key.revoked",
    ]);
    const noted = await systemQuery<{ action: string }>(
      "test",
      "select action from audit.entry where tenant_id = $1 order by seq",
      [owner.tenantId],
    );
    expect(noted.map(({ action }) => action)).toEqual([
      "auth.organisation.created",
      "auth.api_key.created",
      "auth.api_key.created",
      "auth.api_key.revoked",
    ]);
    await systemQuery("test", "update auth.api_key set expires_at = now() - interval '31 days' where id = $1", [
      ended.id,
    ]);
    expect(await purgeEnded()).toMatchObject({ apiKeys: 1 });
  });

  test("is used from its networks alone, by the address that the trusted hop saw", async () => {
    const owner = await registerCaller();
    const { key, networks } = await auth.createApiKey(
      { name: "ci", networks: ["203.0.113.0/24", "2001:DB8:0::/48", "::ffff:198.51.100.7", "203.0.113.0/24"] },
      owner,
    );
    expect(networks).toEqual(["203.0.113.0/24", "2001:db8::/48", "198.51.100.7/32"]);
    expect((await auth.listApiKeys({}, owner)).keys[0]?.networks).toEqual(networks);
    const from = (forwardedFor?: string): Promise<string | undefined> =>
      reason((async () => authenticate({ authorization: `Bearer ${key}`, ...(forwardedFor && { forwardedFor }) }))());
    // Looked up the first time, remembered afterwards: both ask where it comes from.
    expect(await from("198.51.100.8")).toBe("address_not_allowed");
    for (const inside of [
      "203.0.113.255",
      "2001:db8:0:ffff::1",
      "198.51.100.7",
      "::ffff:203.0.113.1",
      "192.0.2.1, 203.0.113.9",
    ])
      expect([inside, await from(inside)]).toEqual([inside, undefined]);
    for (const outside of ["203.0.114.0", "2001:db8:1::1", "203.0.113.9, 192.0.2.1", "nowhere", undefined])
      expect([outside, await from(outside)]).toEqual([outside, "address_not_allowed"]);
    for (const wrong of [
      "203.0.113.1/24",
      "203.0.113.0/33",
      "203.0.113.0/x",
      "2001:db8::/129",
      "2001:db8::1/48",
      "a",
      "",
      "10.0.0.0/8/8",
    ])
      expect([wrong, await reason(auth.createApiKey({ name: "ci", networks: [wrong] }, owner))]).toEqual([
        wrong,
        "invalid_request",
      ]);
    const many = Array.from({ length: 21 }, (_, n) => `10.0.${n}.0/24`);
    expect(await reason(auth.createApiKey({ name: "ci", networks: many }, owner))).toBe("invalid_request");
  });

  test("is rotated by its maker: the secret before stays good for the overlap, one of before that is not, and revoking ends both", async () => {
    const [owner, stranger] = [await registerCaller(), await registerCaller()];
    const first = await make(owner, ["document.read"]);
    const second = await auth.rotateApiKey({ id: first.id, overlapHours: 2 }, owner);
    expect(second.key).not.toBe(first.key);
    for (const key of [first.key, second.key])
      expect(await identify(key)).toMatchObject({ userID: first.id, scope: "document.read" });
    expect((await auth.listApiKeys({}, owner)).keys[0]).toMatchObject({
      id: first.id,
      prefix: second.key.slice(0, 9),
      previousUntil: second.previousUntil,
      rotatedAt: expect.any(String),
    });
    const third = await auth.rotateApiKey({ id: first.id }, owner);
    aMomentLater();
    expect(await reason(identify(first.key))).toBe("invalid_token");
    expect(await identify(second.key)).toMatchObject({ userID: first.id });
    await systemQuery("test", "update auth.api_key set previous_until = now() where id = $1", [first.id]);
    vi.restoreAllMocks();
    const now = performance.now();
    vi.spyOn(performance, "now").mockImplementation(() => now + 4_000);
    expect(await reason(identify(second.key))).toBe("invalid_token");
    const fourth = await auth.rotateApiKey({ id: first.id, overlapHours: 0 }, owner);
    expect(await reason(identify(third.key))).toBe("invalid_token");
    const fifth = await auth.rotateApiKey({ id: first.id }, owner);
    for (const { key } of [fourth, fifth]) expect(await identify(key)).toMatchObject({ userID: first.id });
    await auth.revokeApiKey({ id: first.id }, owner);
    vi.spyOn(performance, "now").mockImplementation(() => now + 6_000);
    for (const { key } of [fourth, fifth]) expect(await reason(identify(key))).toBe("invalid_token");
    vi.restoreAllMocks();
    const other = await make(owner);
    for (const id of [other.id, first.id, "x"])
      expect(await reason(auth.rotateApiKey({ id }, stranger))).toBe("api_key_not_found");
    // Who rotates learns the secret, and would act as its maker.
    const colleague = await registerCaller();
    await systemQuery("test", "insert into auth.membership (tenant_id, account_id, role) values ($1, $2, 'owner')", [
      owner.tenantId,
      colleague.principal.subjectId,
    ]);
    const authData = { ...colleague.authData, tenantId: owner.tenantId };
    expect(await reason(auth.rotateApiKey({ id: other.id }, { authData }))).toBe("permission_denied");
    await auth.revokeApiKey({ id: other.id }, { authData });
  });

  test("is told to its maker by mail, when it is made and when it is rotated", async () => {
    const owner = await registerCaller();
    const { id } = await make(owner);
    await auth.rotateApiKey({ id }, owner);
    const subjects = (await mailsTo(owner.email)).map(({ subject }) => subject);
    expect(subjects.filter((subject) => subject.includes("API key")).sort()).toEqual([
      "You made an API key",
      "You rotated an API key",
    ]);
  });
});

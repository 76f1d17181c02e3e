import { type APIError } from "encore.dev/api";
import { auth } from "~encore/clients";
import { describe, expect, test } from "vitest";
import { systemQuery, tenantQuery } from "../../db/tenant";
import { reasonOf } from "../../security/errors";
import { limits } from "../../security/limits";
import { principalFrom, tenantIdFrom } from "../../security/principal";
import { authenticate } from "../gateway";
import { KeyRing } from "../key-ring";
import { REUSE_GRACE_MS } from "../refresh-token";
import { register } from "../registration";
import { refreshSession, signIn, signOut, type SignedIn } from "../sessions";
import { keyRing, readAccessToken } from "../tokens";
import { purgeSessions } from "../upkeep";

const start = new Date("2026-03-01T09:00:00Z");
const later = (ms: number): Date => new Date(start.getTime() + ms);
const password = "a passphrase of many words";
let people = 0;

function newcomer(): { email: string; password: string; organisation: string } {
  people++;
  return { email: `person${people}@example.com`, password, organisation: `Organisation ${people}` };
}

const reason = async (promise: Promise<unknown>): Promise<string | undefined> =>
  reasonOf(
    await promise.then(
      () => undefined,
      (error: unknown) => error,
    ),
  );
const count = async (table: string): Promise<number> =>
  (await systemQuery<{ n: number }>("test", `select count(*)::int as n from ${table}`))[0]?.n ?? -1;

describe("registering", () => {
  test("answers tokens, the person and their organisation, exactly", async () => {
    const answer = await auth.register(newcomer());
    expect(answer).toEqual({
      accessToken: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      refreshToken: expect.stringMatching(/^[\w-]{43}$/),
      expiresIn: 900,
      user: { id: expect.any(String), email: `person${people}@example.com` },
      organisation: { id: expect.any(String), name: `Organisation ${people}`, role: "owner" },
    });
  });

  test("stores no password and no token that could be used", async () => {
    const { refreshToken } = await register({ ...newcomer(), password: "an unmistakable passphrase" }, start);
    const rows = JSON.stringify(
      await systemQuery(
        "test",
        "select a::text as a from auth.account a union all select t::text from auth.refresh_token t union all select k::text from auth.signing_key k",
      ),
    );
    expect(rows).not.toContain("an unmistakable passphrase");
    expect(rows).not.toContain(refreshToken);
    expect(rows).not.toContain(Buffer.from(refreshToken).toString("hex"));
    expect(rows).toContain("$argon2id$");
  });

  test("tells of it by events of the new tenant, in the same transaction", async () => {
    const { organisation, user } = await register(newcomer(), start);
    const events = await tenantQuery<{ type: string; payload: unknown }>(
      { tenantId: tenantIdFrom(organisation.id) },
      "select type, payload from events.outbox order by position",
    );
    expect(events).toEqual([
      {
        type: "auth.organisation.created",
        payload: { organisationId: organisation.id, name: organisation.name, ownerId: user.id },
      },
      {
        type: "auth.user.registered",
        payload: { userId: user.id, organisationId: organisation.id, organisationName: organisation.name },
      },
    ]);
  });

  test("the same e-mail twice, however it is spelt, is refused and leaves nothing behind", async () => {
    const person = newcomer();
    await register(person, start);
    const before = [await count("auth.organisation"), await count("events.outbox")];
    expect(await reason(register({ ...person, email: ` ${person.email.toUpperCase()} ` }, start))).toBe("email_taken");
    expect([await count("auth.organisation"), await count("events.outbox")]).toEqual(before);
  });

  test("twice at once, one wins", async () => {
    const person = newcomer();
    const outcomes = await Promise.allSettled([
      register(person, start),
      register(person, start),
      register(person, start),
    ]);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test.each([
    [{ email: "nobody" }, "invalid_request", "email"],
    [{ email: "a\u0000@example.com" }, "invalid_request", "email"],
    [{ organisation: "  " }, "invalid_request", "organisation"],
    [{ organisation: "a\u0000b" }, "invalid_request", "organisation"],
    [{ password: "short" }, "weak_password", "password"],
    [{ password: "password123" }, "weak_password", "password"],
  ])("with %j names the field at fault", async (change, expected, field) => {
    const error = await auth.register({ ...newcomer(), ...change }).then(
      () => undefined,
      (failure: unknown) => failure,
    );
    expect(reasonOf(error)).toBe(expected);
    expect((error as APIError).details?.fields).toHaveProperty(field);
  });
});

describe("signing in", () => {
  test("works with the e-mail in any spelling and only with the password", async () => {
    const person = newcomer();
    const { user, organisation } = await register(person, start);
    expect(await auth.login({ email: person.email.toUpperCase(), password })).toMatchObject({ user, organisation });
    expect(await reason(auth.login({ email: person.email, password: `${password}!` }))).toBe("invalid_credentials");
  });

  // What an attacker compares to learn which e-mails are registered.
  test("answers the same for a wrong password, an unknown e-mail and what is no e-mail", async () => {
    const person = newcomer();
    await register(person, start);
    const tries = [person.email, "stranger@example.com", "no e-mail at all", "a\u0000@example.com"];
    const errors = await Promise.all(
      tries.map((email) =>
        auth
          .login({ email, password: "a wrong passphrase" })
          .catch((error: APIError) => ({ code: error.code, message: error.message, reason: reasonOf(error) })),
      ),
    );
    expect(new Set(errors.map((error) => JSON.stringify(error))).size).toBe(1);
    expect(errors[0]).toMatchObject({ code: "unauthenticated", reason: "invalid_credentials" });
  });

  test("is refused for a while after too many attempts, for registered and unknown e-mails alike; success forgets them", async () => {
    const spy = limits.consume.bind(limits);
    const asked: string[] = [];
    limits.consume = (policy, dimension, key) => {
      if (dimension === "account") asked.push(key);
      return spy(policy, dimension, key);
    };
    const person = newcomer();
    await register(person, start);
    await signIn({ email: person.email.toUpperCase(), password }, start);
    await signIn({ email: person.email, password }, start);
    await reason(signIn({ email: "stranger@example.com", password }, start));
    limits.consume = spy;
    expect(new Set(asked.slice(0, 2)).size).toBe(1);
    expect(asked).toHaveLength(3);
    expect(asked.join()).not.toContain("@");
  });
});

describe("access tokens", () => {
  const bearer = (token: string): Promise<unknown> =>
    Promise.resolve(authenticate({ authorization: `Bearer ${token}` }));

  test("are taken from the Authorization header or the session cookie, the header first", async () => {
    const { accessToken, user, organisation } = await register(newcomer(), new Date());
    const identity = { userID: user.id, tenantId: organisation.id, role: "owner", sessionId: expect.any(String) };
    expect(await bearer(accessToken)).toEqual(identity);
    expect(await authenticate({ session: { value: accessToken } })).toEqual(identity);
    expect(
      await reason(Promise.resolve(authenticate({ authorization: "Bearer a.b.c", session: { value: accessToken } }))),
    ).toBe("invalid_token");
  });

  test.each(["", "a.b.c", "Basic abc", "x".repeat(5_000)])(
    "that are none (%#) are refused as unauthenticated",
    async (token) => {
      expect(await reason(bearer(token))).toBe("invalid_token");
    },
  );

  test("end on time, also those verified before", async () => {
    const { accessToken } = await register(newcomer(), start);
    expect(await readAccessToken(accessToken, later(899_000))).toBeDefined();
    await expect(readAccessToken(accessToken, later(900_000))).rejects.toMatchObject({ code: "ERR_JWT_EXPIRED" });
  });

  test("can be verified by anybody with the published keys, which hold nothing private", async () => {
    const { keys, cacheControl } = await auth.jwks();
    expect(keys).toEqual([
      { kty: "OKP", crv: "Ed25519", alg: "EdDSA", use: "sig", x: expect.any(String), kid: expect.any(String) },
    ]);
    expect(cacheControl).toContain("max-age");
  });
});

describe("signing keys", () => {
  test("are made once, also by many who need one at once and by other replicas", async () => {
    await register(newcomer(), start);
    const replicas = Array.from({ length: 3 }, () => new KeyRing(() => "a master key of at least 32 characters", 900));
    await Promise.all(replicas.map((replica) => replica.published(start).catch(() => undefined)));
    expect(await count("auth.signing_key where verify_until is null")).toBe(1);
  });

  test("rotate: new tokens get the new key, old ones stay good until they expire, another replica follows", async () => {
    const now = new Date();
    const { accessToken } = await register(newcomer(), now);
    const oldKid = (await keyRing.signer(now)).kid;
    expect(await keyRing.rotate(now, 86_400_000)).toBe(false);
    expect(await keyRing.rotate(now, 0)).toBe(true);
    const { kid } = await keyRing.signer(now);
    expect(kid).not.toBe(oldKid);
    expect((await keyRing.published(now)).map((key) => key.kid)).toEqual([kid, oldKid]);
    expect(await readAccessToken(accessToken, now)).toBeDefined();
    const replica = new KeyRing(() => "never asked, because public keys are enough to verify", 900);
    expect(await replica.find(kid, now)).toBeDefined();
    expect(await replica.find(oldKid, now)).toBeDefined();
    expect(await replica.find("invented", new Date(now.getTime() + 60_000))).toBeUndefined();
    const after = new Date(now.getTime() + 1_100_000);
    expect((await keyRing.published(after)).map((key) => key.kid)).toEqual([kid]);
    expect(await keyRing.find(oldKid, after)).toBeUndefined();
  });

  test("cannot be used with another master key", async () => {
    await expect(new KeyRing(() => "another master key, 32 characters long", 900).signer(new Date())).rejects.toThrow(
      /master key/,
    );
  });
});

describe("refreshing", () => {
  const newSession = (): Promise<SignedIn> => register(newcomer(), start);

  test("gives new tokens of the same session and uses the old one up", async () => {
    const first = await newSession();
    const second = await refreshSession(first.refreshToken, later(60_000));
    expect(second.refreshToken).not.toBe(first.refreshToken);
    expect(second).toMatchObject({ user: first.user, organisation: first.organisation });
    const [one, two] = [
      await readAccessToken(first.accessToken, start),
      await readAccessToken(second.accessToken, later(60_000)),
    ];
    expect(two.sessionId).toBe(one.sessionId);
  });

  test("ten times at once with one token: exactly one wins, and the session lives on", async () => {
    const { refreshToken } = await newSession();
    const outcomes = await Promise.allSettled(
      Array.from({ length: 10 }, () => refreshSession(refreshToken, later(1_000))),
    );
    const won = outcomes.filter((outcome) => outcome.status === "fulfilled");
    expect(won).toHaveLength(1);
    for (const outcome of outcomes)
      if (outcome.status === "rejected") expect(reasonOf(outcome.reason)).toBe("refresh_superseded");
    expect(await refreshSession(won[0]?.value.refreshToken ?? "", later(2_000))).toBeDefined();
  });

  // A thief who copied a token uses it, or its owner does; whoever comes second gives the theft away.
  test("with a token that was used before ends the whole session, for thief and owner", async () => {
    const owner = await newSession();
    const thief = await refreshSession(owner.refreshToken, later(1_000));
    expect(await reason(refreshSession(owner.refreshToken, later(1_000 + REUSE_GRACE_MS + 1)))).toBe(
      "refresh_token_invalid",
    );
    expect(await reason(refreshSession(thief.refreshToken, later(20_000)))).toBe("refresh_token_invalid");
    const [session] = await systemQuery<{ reason: string }>(
      "test",
      "select revoked_reason as reason from auth.session where tenant_id = $1",
      [owner.organisation.id],
    );
    expect(session?.reason).toBe("token_reuse");
  });

  test("does not end other sessions of the same person", async () => {
    const person = newcomer();
    const [phone, laptop] = [await register(person, start), await signIn(person, start)];
    await refreshSession(phone.refreshToken, later(1_000));
    await reason(refreshSession(phone.refreshToken, later(60_000)));
    expect(await refreshSession(laptop.refreshToken, later(61_000))).toBeDefined();
  });

  test("ends with the session: after 30 days, however often it was refreshed", async () => {
    const { refreshToken } = await newSession();
    const second = await refreshSession(refreshToken, later(29 * 86_400_000));
    expect(await reason(refreshSession(second.refreshToken, later(30 * 86_400_000)))).toBe("refresh_token_invalid");
  });

  test.each(["x", "", "a\u0000b", "y".repeat(512)])(
    "with what is no token (%#) answers as with an ended one",
    async (token) => {
      expect(await reason(refreshSession(token, start))).toBe("refresh_token_invalid");
    },
  );
});

describe("signing out", () => {
  test("ends the session: its refresh token stops at once", async () => {
    const { accessToken, refreshToken } = await register(newcomer(), new Date());
    const authData = await readAccessToken(accessToken, new Date());
    await auth.logout({ authData: { ...authData, userID: authData.userID } });
    expect(await reason(auth.refresh({ refreshToken }))).toBe("refresh_token_invalid");
    await auth.logout({ authData });
  });

  test("reaches no session of another organisation", async () => {
    const victim = await register(newcomer(), start);
    const attacker = await register(newcomer(), start);
    const [victimData, attackerData] = [
      await readAccessToken(victim.accessToken, start),
      await readAccessToken(attacker.accessToken, start),
    ];
    await signOut(principalFrom({ ...attackerData, sessionId: victimData.sessionId }), later(1_000));
    expect(await refreshSession(victim.refreshToken, later(2_000))).toBeDefined();
  });
});

describe("what is over", () => {
  test("is removed a week after its end, with its tokens, and nothing else is", async () => {
    const { refreshToken } = await register(newcomer(), new Date("2020-01-01T00:00:00Z"));
    const before = await count("auth.session");
    expect(await purgeSessions(new Date("2020-02-08T00:00:00Z"))).toBe(1);
    expect(await count("auth.session")).toBe(before - 1);
    expect(await reason(refreshSession(refreshToken, new Date("2020-01-02T00:00:00Z")))).toBe("refresh_token_invalid");
  });
});

describe("another organisation", () => {
  test("is not seen by any tenant's statement, and accounts and keys by none at all", async () => {
    await register(newcomer(), start);
    const { organisation } = await register(newcomer(), start);
    const scope = { tenantId: tenantIdFrom(organisation.id) };
    const rowsOf = async (table: string): Promise<number> =>
      (await tenantQuery<{ n: number }>(scope, `select count(*)::int as n from auth.${table}`))[0]?.n ?? -1;
    const seen = {
      organisation: await rowsOf("organisation"),
      membership: await rowsOf("membership"),
      session: await rowsOf("session"),
      refresh_token: await rowsOf("refresh_token"),
      account: await rowsOf("account"),
      signing_key: await rowsOf("signing_key"),
    };
    expect(seen).toEqual({ organisation: 1, membership: 1, session: 1, refresh_token: 1, account: 0, signing_key: 0 });
  });
});

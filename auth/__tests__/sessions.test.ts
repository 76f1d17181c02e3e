import { type APIError } from "encore.dev/api";
import { auth } from "~encore/clients";
import { afterEach, describe, expect, test, vi } from "vitest";
import { systemQuery, tenantQuery } from "../../db/tenant";
import { reasonOf } from "../../security/errors";
import { Limits, limits } from "../../security/limits";
import { principalFrom, tenantIdFrom } from "../../security/principal";
import { authenticate } from "../gateway";
import { register } from "../registration";
import { refreshSession, signIn, signOut } from "../sessions";
import * as passwords from "../passwords";
import * as store from "../store/accounts";
import { count, here, newcomer, password, reason, later, start } from "./people";
import { refreshRaces } from "./refresh-races";
import { refreshing } from "./refreshing";
import { signingKeys } from "./signing-keys";
import { upkeep } from "./upkeep";
import { readAccessToken } from "../tokens";

describe("registering", () => {
  test("answers tokens, the person and their organisation, exactly", async () => {
    const person = newcomer();
    const answer = await auth.register(person);
    expect(answer).toEqual({
      accessToken: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      refreshToken: expect.stringMatching(/^[\w-]{91}$/),
      expiresIn: 900,
      user: { id: expect.any(String), email: person.email },
      organisation: { id: expect.any(String), name: person.organisation, role: "owner" },
    });
  });

  test("stores no password and no token that could be used", async () => {
    const { refreshToken } = await register({ ...newcomer(), password: "an unmistakable passphrase" }, start);
    const rows = JSON.stringify(
      await systemQuery(
        "test",
        "select a::text as a from auth.account a union all select s::text from auth.session s union all select k::text from auth.signing_key k",
      ),
    );
    expect(rows).not.toContain("an unmistakable passphrase");
    expect(rows).not.toContain(refreshToken);
    expect(rows).not.toContain(Buffer.from(refreshToken).toString("hex"));
    expect(rows).toContain("$argon2id$");
  });

  test("tells of it by events of the new tenant, in the same transaction", async () => {
    const { organisation, user } = await register(newcomer(), start);
    const events = await tenantQuery<{ type: string; payload: unknown; actor: string }>(
      { tenantId: tenantIdFrom(organisation.id) },
      "select type, payload, headers->>'actor' as actor from events.outbox order by position",
    );
    const actor = `user:${user.id}`;
    expect(events).toEqual([
      {
        actor,
        type: "auth.organisation.created",
        payload: { organisationId: organisation.id, name: organisation.name, ownerId: user.id },
      },
      {
        actor,
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

  // Without these an attacker guesses at leisure, or one who guesses locks the owner out.
  describe("with wrong passwords", () => {
    const scaled = (scale: number): void => {
      const strict = new Limits({ scale });
      for (const method of ["consume", "forget", "assertFewFailures", "countFailure"] as const)
        vi.spyOn(limits, method).mockImplementation(strict[method].bind(strict));
    };
    const wrong = (email: string, address: string): Promise<string | undefined> =>
      reason(signIn({ email, password: "a wrong passphrase" }, start, address));
    afterEach(() => vi.restoreAllMocks());

    test("shuts the address out of the account after five, and leaves the owner in, elsewhere", async () => {
      const person = newcomer();
      await register(person, start);
      scaled(1);
      for (let i = 0; i < 5; i++) expect(await wrong(person.email, "192.0.2.1")).toBe("invalid_credentials");
      expect(await wrong(person.email, "192.0.2.1")).toBe("rate_limited");
      expect(await reason(signIn({ email: person.email, password }, start, "192.0.2.1"))).toBe("rate_limited");
      expect(await signIn({ email: person.email, password }, start, "192.0.2.2")).toBeDefined();
    });

    test("shuts the address out of every account after twenty, without another look at database or password", async () => {
      const person = newcomer();
      await register(person, start);
      scaled(1);
      for (let i = 0; i < 20; i++)
        expect(await wrong(`stranger${i}@example.com`, "192.0.2.1")).toBe("invalid_credentials");
      const [reads, checks] = [vi.spyOn(store, "accountFindByEmail"), vi.spyOn(passwords, "checkPassword")];
      for (let n = 0; n < 10; n++)
        expect(await reason(signIn({ email: person.email, password }, start, "192.0.2.1"))).toBe("rate_limited");
      for (const each of [reads, checks]) expect(each).not.toHaveBeenCalled();
      expect(await signIn({ email: person.email, password }, start, "192.0.2.2")).toBeDefined();
      expect(checks).toHaveBeenCalledOnce();
    });

    test("is shut for one account from all addresses together at fifty an hour; success forgets the count", async () => {
      const person = newcomer();
      await register(person, start);
      scaled(0.1); // five from everywhere, one from each address
      for (let i = 0; i < 4; i++) await wrong(person.email, `192.0.2.${i}`);
      expect(await signIn({ email: person.email, password }, start, "198.51.100.1")).toBeDefined();
      for (let i = 0; i < 5; i++) expect(await wrong(person.email, `203.0.113.${i}`)).toBe("invalid_credentials");
      expect(await wrong(person.email, "203.0.113.99")).toBe("rate_limited");
    });

    test("asks the limiter under digests of the normalised e-mail, for registered and unknown ones alike", async () => {
      const asked = vi.spyOn(limits, "consume");
      const person = newcomer();
      await register(person, start);
      await signIn({ email: person.email.toUpperCase(), password }, start, "192.0.2.1");
      await signIn({ email: person.email, password }, start, "192.0.2.1");
      await wrong("stranger@example.com", "192.0.2.1");
      const keys = asked.mock.calls.map(([, dimension, key]) => `${dimension} ${key}`);
      expect(keys.map((key) => key.split(" ")[0])).toEqual([
        ...["accountAtIp", "account"],
        "accountAtIp", // Where the account has signed in.
        ...["accountAtIp", "account"],
      ]);
      expect(keys[2]).toBe(keys[0]);
      expect(keys.join()).not.toContain("@");
    });
  });
});

describe("access tokens", () => {
  const bearer = (token: string): Promise<unknown> =>
    Promise.resolve(authenticate({ authorization: `Bearer ${token}` }));

  /** As a browser sends it that is signed in to one account. */
  const cookiesOf = ({ accessToken, user }: { accessToken: string; user: { id: string } }) => ({
    session0: { value: `${user.id}.${accessToken}` },
    active: { value: user.id },
  });

  test("are taken from the Authorization header or the session cookie, the header first", async () => {
    const person = await register(newcomer(), new Date());
    const { accessToken, user, organisation } = person;
    const identity = {
      userID: user.id,
      tenantId: organisation.id,
      role: "owner",
      sessionId: expect.any(String),
      authTime: expect.stringMatching(/^\d{10}$/),
      amr: "pwd",
    };
    expect(await bearer(accessToken)).toEqual(identity);
    expect(await authenticate(cookiesOf(person))).toEqual(identity);
    expect(await reason(Promise.resolve(authenticate({ authorization: "Bearer a.b.c", ...cookiesOf(person) })))).toBe(
      "invalid_token",
    );
  });

  test("in a cookie open no stream that another site asks for; a token in the header does", async () => {
    const person = await register(newcomer(), new Date());
    const { accessToken } = person;
    const cookie = cookiesOf(person);
    const foreign = { webSocketKey: "x", origin: "https://evil.example", host: "api.example.com" };
    const said = async (sent: Parameters<typeof authenticate>[0]): Promise<string | undefined> =>
      reason(Promise.resolve().then(() => authenticate(sent)));
    expect(await said({ ...cookie, ...foreign })).toBe("cross_site_request");
    expect(await said({ ...cookie, ...foreign, authorization: "" })).toBe("cross_site_request");
    expect(await said({ ...cookie, ...foreign, origin: "https://api.example.com", fetchSite: "same-site" })).toBe(
      "cross_site_request",
    );
    expect(await said({ ...cookie, webSocketKey: "x" })).toBe("cross_site_request");
    for (const own of [
      { ...cookie, ...foreign, origin: "https://api.example.com" },
      { ...foreign, authorization: `Bearer ${accessToken}` },
    ])
      expect(await authenticate(own)).toMatchObject({ role: "owner" });
  });

  test.each(["", "a.b.c", "Basic abc", "x".repeat(5_000)])(
    "that are none (%#) are refused as unauthenticated",
    async (token) => {
      expect(await reason(bearer(token))).toBe("invalid_token");
    },
  );

  // The gateway asks for each call, because every call has an address: nearly all of a public endpoint's bring nothing else.
  test("that are absent get one answer, made once, that nobody can change", async () => {
    const refusals = await Promise.all(
      [{}, { forwardedFor: "192.0.2.7" }, { authorization: "", forwardedFor: "192.0.2.8" }].map((nothing) =>
        Promise.resolve(authenticate(nothing)).catch((error: unknown) => error as APIError),
      ),
    );
    expect(new Set(refusals).size).toBe(1);
    expect(refusals[0]).toMatchObject({
      code: "unauthenticated",
      details: { reason: "unauthenticated", requestId: "" },
    });
    expect([Object.isFrozen(refusals[0]), Object.isFrozen((refusals[0] as APIError).details)]).toEqual([true, true]);
  });

  test("that are known are found whatever the scheme's spelling, and a long text is none", async () => {
    const { accessToken } = await register(newcomer(), new Date());
    const known = await authenticate({ authorization: `Bearer ${accessToken}` });
    const fewFailures = vi.spyOn(limits, "assertFewFailures");
    for (const authorization of [`bearer ${accessToken}`, `Bearer   ${accessToken} `, `Bearer ${accessToken}`])
      expect(await authenticate({ authorization })).toBe(known);
    expect(fewFailures).not.toHaveBeenCalled();
    expect(await reason(bearer(`${"x".repeat(60_000)}.a.b`))).toBe("invalid_token");
    expect(fewFailures).toHaveBeenCalledOnce();
    fewFailures.mockRestore();
  });

  test("that a neighbour forges do not shut out who signs in and refreshes at the same address, nor let the forger in through it", async () => {
    const strict = new Limits({ scale: 1 });
    vi.spyOn(limits, "assertFewFailures").mockImplementation(strict.assertFewFailures.bind(strict));
    vi.spyOn(limits, "countFailure").mockImplementation(strict.countFailure.bind(strict));
    const from = (token: string): Promise<string | undefined> =>
      reason(Promise.resolve(authenticate({ forwardedFor: "192.0.2.77", authorization: `Bearer ${token}` })));
    const forgedOf = (token: string): string => `${token.slice(0, -10)}AAAAAAAAAA`;
    const person = await register(newcomer(), new Date());
    // A session that nobody has.
    const [head, claims = "", signature] = person.accessToken.split(".");
    const payload = JSON.parse(Buffer.from(claims, "base64url").toString()) as object;
    const invented = Buffer.from(JSON.stringify({ ...payload, sid: crypto.randomUUID() })).toString("base64url");
    for (let n = 0; n < 60; n++) expect(await from(`${head}.${invented}.${signature}`)).toBe("invalid_token");
    expect(await from(`${head}.${invented}.${signature}`)).toBe("rate_limited");

    expect(await from(person.accessToken)).toBeUndefined();
    const renewed = await refreshSession(person.refreshToken, new Date(), "192.0.2.77");
    const together = await Promise.all(Array.from({ length: 6 }, () => from(renewed.accessToken)));
    expect(new Set(together)).toEqual(new Set([undefined]));

    expect(await from(forgedOf(renewed.accessToken))).toBe("invalid_token");
    expect(await from(forgedOf(renewed.accessToken))).toBe("rate_limited");
    expect(await from(renewed.accessToken)).toBeUndefined();
    const again = await refreshSession(renewed.refreshToken, new Date(), "192.0.2.77");
    const many = await Promise.all(Array.from({ length: 40 }, () => from(forgedOf(again.accessToken))));
    expect(many.filter((outcome) => outcome === "invalid_token")).toHaveLength(16);
    expect(many.filter((outcome) => outcome === "rate_limited")).toHaveLength(24);
    vi.restoreAllMocks();
  });

  // Each costs a signature check, and no endpoint with its limits is reached.
  test("that are forged shut their address after sixty, before another look; known and absent ones stay in", async () => {
    const strict = new Limits({ scale: 1 });
    vi.spyOn(limits, "assertFewFailures").mockImplementation(strict.assertFewFailures.bind(strict));
    vi.spyOn(limits, "countFailure").mockImplementation(strict.countFailure.bind(strict));
    const { accessToken } = await register(newcomer(), new Date());
    const from = (forwardedFor: string, token?: string): Promise<string | undefined> =>
      reason(
        Promise.resolve(
          authenticate({ forwardedFor, ...(token === undefined ? {} : { authorization: `Bearer ${token}` }) }),
        ),
      );
    expect(await from("192.0.2.9", accessToken)).toBeUndefined();
    const forged = `${accessToken.slice(0, -10)}AAAAAAAAAA`;
    const outcomes = await Promise.all(Array.from({ length: 60 }, () => from("192.0.2.9", forged)));
    expect(new Set(outcomes)).toEqual(new Set(["invalid_token"]));
    expect(await from("192.0.2.9:4711", forged)).toBe("rate_limited");
    expect(await from("192.0.2.9", "no token of ours")).toBe("rate_limited");
    expect(await from("192.0.2.9", accessToken)).toBeUndefined();
    expect(await from("192.0.2.9")).toBe("unauthenticated");
    expect(await from("192.0.2.10", forged)).toBe("invalid_token");
    vi.restoreAllMocks();
  });

  test("end on time, also those verified before", async () => {
    const { accessToken } = await register(newcomer(), start);
    expect(await readAccessToken(accessToken, later(899_000))).toBeDefined();
    await expect(readAccessToken(accessToken, later(900_000))).rejects.toMatchObject({ code: "ERR_JWT_EXPIRED" });
  });

  test("can be verified by anybody with the published keys, which hold nothing private", async () => {
    const { keys, cacheControl } = await auth.jwks();
    const key = {
      kty: "OKP",
      crv: "Ed25519",
      alg: "EdDSA",
      use: "sig",
      x: expect.any(String),
      kid: expect.any(String),
    };
    expect(keys).toEqual([key, key]);
    expect(cacheControl).toBe("public, max-age=60");
  });
});

signingKeys();
refreshing();
refreshRaces({ clients: 20, sessions: 80, clientsAtOnce: 2, limits: () => new Limits({ scale: 1 }) });
upkeep();

describe("signing out", () => {
  test("ends the session: its refresh token stops at once", async () => {
    const { accessToken, refreshToken } = await register(newcomer(), new Date());
    const authData = await readAccessToken(accessToken, new Date());
    await auth.logout({}, { authData });
    expect(await reason(auth.refresh({ refreshToken }))).toBe("refresh_token_invalid");
    await auth.logout({}, { authData });
  });

  test("reaches no session of another organisation", async () => {
    const victim = await register(newcomer(), start);
    const attacker = await register(newcomer(), start);
    const [victimData, attackerData] = [
      await readAccessToken(victim.accessToken, start),
      await readAccessToken(attacker.accessToken, start),
    ];
    await signOut(principalFrom({ ...attackerData, sessionId: victimData.sessionId }));
    expect(await refreshSession(victim.refreshToken, start, here)).toBeDefined();
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
      account: await rowsOf("account"),
      signing_key: await rowsOf("signing_key"),
    };
    expect(seen).toEqual({ organisation: 1, membership: 1, session: 0, account: 0, signing_key: 0 });
  });
});

// Who acts is asked again, over HTTP. A session ends here by its row alone, so that the process lets its access token in as another
// replica does for up to two seconds. And what becomes of people: who leaves their only organisation, and who takes a stolen account
// back.
import { URI, type TOTP } from "otpauth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Authenticator } from "../../../auth/__tests__/authenticator";
import { exportsOf, slowExports } from "./slow-exports";
import { makeOwnDatabase, type OwnDatabase } from "./support/own-database";
import { type RunningApp, startApp, temporaryStateDir } from "./support/running-app";

const password = "a passphrase of many words";
const state = temporaryStateDir();
let database: OwnDatabase;
let app: RunningApp;

interface SignedIn {
  accessToken: string;
  user: { id: string };
  organisation: { id: string; role: string } | null;
}

interface Person {
  email: string;
  id: string;
  organisationId: string;
  token: string;
}

beforeAll(async () => {
  database = await makeOwnDatabase("acting");
  app = await startApp(state.path, {
    DATABASE_URL: database.url,
    MasterKey: "the-master-key-of-an-app-that-asks-again",
    LIMIT_SCALE: "100000",
    LOG_LEVEL: "fatal",
  });
});

afterAll(async () => {
  await app?.killTree();
  await database?.drop();
  state.remove();
});

const send = (method: string, path: string, token?: string, body?: unknown): Promise<Response> =>
  fetch(`${app.baseUrl}${path}`, {
    method,
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });

/** The answer of a request that must succeed. */
async function ask<T>(method: string, path: string, token?: string, body?: unknown): Promise<T> {
  const answer = await send(method, path, token, body);
  const text = await answer.text();
  expect(answer.status, `${method} ${path}: ${text}`).toBe(200);
  return (text === "" ? {} : JSON.parse(text)) as T;
}

/** The status and reason of one that must not. */
async function refused(...request: Parameters<typeof send>): Promise<string> {
  const answer = await send(...request);
  const { details } = JSON.parse(await answer.text()) as { details?: { reason?: string } };
  return `${answer.status} ${details?.reason}`;
}

let people = 0;
async function register(more: { invitation: string; email: string } | undefined = undefined): Promise<Person> {
  const email = more?.email ?? `person${++people}@acting.example`;
  const joining = more === undefined ? { organisation: `Organisation ${people}` } : { invitation: more.invitation };
  const made = await ask<SignedIn>("POST", "/auth/register", undefined, { email, password, ...joining });
  return { email, id: made.user.id, organisationId: made.organisation?.id ?? "", token: made.accessToken };
}

/** The token of the newest mail whose link leads there, when that is another than the one before. */
async function mailed(email: string, page: string, before?: string): Promise<string> {
  let token: string | undefined;
  await expect
    .poll(
      async () => {
        const { messages } = await ask<{ messages: unknown[] }>("GET", `/mail/messages?to=${email}`);
        const mail = messages.map((message) => JSON.stringify(message)).find((text) => text.includes(page));
        token = /#token=([\w-]+)/.exec(mail ?? "")?.[1];
        return token === before ? undefined : token;
      },
      { timeout: 120_000, interval: 100 },
    )
    .toBeDefined();
  return token!;
}

const endQuietly = ({ id }: Person): Promise<unknown> =>
  database.client.query(
    "update auth.session set expires_at = now(), revoked_at = now(), revoked_reason = 'logout' where account_id = $1",
    [id],
  );

describe("an export, and a stream,", () => {
  test("begins for who still may, and for nobody whose session has ended or who was demoted", async () => {
    const [ended, demoted] = [await register(), await register()];
    for (const person of [ended, demoted])
      for (const path of exportsOf(person)) {
        const whole = await send("GET", path, person.token);
        expect([path, whole.status]).toEqual([path, 200]);
        expect(JSON.parse((await whole.text()).trimEnd().split("\n").at(-1) ?? "")).toBeTypeOf("object");
      }
    await ask("POST", "/vectors/documents", ended.token, { source: "a.md", text: "# Followed" });
    const { tasks } = await ask<{ tasks: { id: string }[] }>("GET", "/tasks", ended.token);
    const events = `/tasks/${tasks[0]?.id}/events`;
    const followed = await send("GET", events, ended.token);
    expect([followed.status, (await followed.text()).includes("completed")]).toEqual([200, true]);
    await endQuietly(ended);
    await database.client.query("update auth.membership set role = 'member' where account_id = $1", [demoted.id]);
    for (const path of [...exportsOf(ended), events])
      expect(await refused("GET", path, ended.token)).toBe("401 invalid_token");
    for (const path of exportsOf(demoted))
      expect(await refused("GET", path, demoted.token)).toBe("403 permission_denied");
  });
});

slowExports({
  baseUrl: () => app.baseUrl,
  register: () => register(),
  query: (sql, params) => database.client.query(sql, params),
});

describe("who leaves their only organisation", () => {
  test("stays an account that signs in, makes an organisation, and joins one", async () => {
    const owner = await register();
    const email = `person${++people}@acting.example`;
    await ask("POST", "/auth/invitations", owner.token, { email, role: "member" });
    const invitation = await mailed(email, "/accept-invitation");
    const carol = await register({ email, invitation });
    expect(carol.organisationId).toBe(owner.organisationId);
    await ask("POST", `/auth/organisations/${carol.organisationId}/leave`, carol.token, {});
    // What the token said of the organisation is over within two seconds.
    await expect
      .poll(async () => (await send("GET", "/auth/members", carol.token)).status, { timeout: 10_000 })
      .toBe(401);

    const login = (): Promise<SignedIn> => ask<SignedIn>("POST", "/auth/login", undefined, { email, password });
    const { accessToken: token, organisation } = await login();
    expect(organisation).toBeNull();
    expect(await ask("GET", "/auth/me", token)).toMatchObject({ organisation: null, organisations: [] });
    expect(await refused("GET", "/auth/members", token)).toBe("403 no_organisation");
    expect(await refused("POST", "/auth/switch", token, { organisationId: owner.organisationId })).toBe(
      "404 organisation_not_found",
    );

    const own = await ask<{ id: string }>("POST", "/auth/organisations", token, { name: "Of her own" });
    const there = await ask<SignedIn>("POST", "/auth/switch", token, { organisationId: own.id });
    expect(there.organisation).toMatchObject({ id: own.id, role: "owner" });
    expect(await ask("GET", "/auth/members", there.accessToken)).toMatchObject({ members: [{ id: carol.id }] });
    await ask("DELETE", `/auth/organisations/${own.id}`, there.accessToken);

    await ask("POST", "/auth/invitations", owner.token, { email, role: "viewer" });
    const alone = await login();
    expect(alone.organisation).toBeNull();
    const again = { token: await mailed(email, "/accept-invitation", invitation) };
    await ask("POST", "/auth/invitations/accept", alone.accessToken, again);
    expect((await login()).organisation).toMatchObject({ id: owner.organisationId, role: "viewer" });
  });
});

describe("a stolen account that its owner takes back by the link to the old address", () => {
  async function addPasskey(token: string, name: string): Promise<string> {
    interface Begun {
      challenge: string;
      options: Parameters<Authenticator["create"]>[0];
    }
    const { challenge, options } = await ask<Begun>("POST", "/auth/passkeys/options", token, {});
    const attestation = new Authenticator().create(options);
    return (await ask<{ id: string }>("POST", "/auth/passkeys", token, { challenge, name, attestation })).id;
  }
  async function addApp(token: string): Promise<void> {
    const { uri } = await ask<{ uri: string }>("POST", "/auth/factors/totp", token, {});
    const code = (URI.parse(uri) as TOTP).generate();
    await ask("POST", "/auth/factors/totp/confirm", token, { code });
  }
  const addKey = (token: string, name: string): Promise<{ id: string; key: string }> =>
    ask("POST", "/auth/api-keys", token, { name });
  /** An account elsewhere, which no provider of this app gives. */
  const link = async ({ id }: Person, subject: string): Promise<string> => {
    const { rows } = await database.client.query<{ id: string }>(
      `insert into auth.identity (id, account_id, provider, issuer, subject, how)
       values (gen_random_uuid(), $1, 'p', 'https://p.example', $2, 'linked') returning id`,
      [id, `${subject} ${id}`],
    );
    return rows[0]?.id ?? "";
  };
  /** So long ago, as the rows say. */
  const age = async ({ id }: Person, days: number): Promise<void> => {
    for (const [table, column] of [
      ["passkey", "created_at"],
      ["identity", "created_at"],
      ["api_key", "created_at"],
    ])
      await database.client.query(
        `update auth.${table} set ${column} = now() - make_interval(days => $2) where account_id = $1`,
        [id, days],
      );
  };
  async function move(person: Person, token: string): Promise<string> {
    const email = `thief${++people}@acting.example`;
    await ask("POST", "/auth/email/change", token, { email });
    await ask("POST", "/auth/email/confirm", undefined, { token: await mailed(email, "/change-email") });
    expect(await ask("GET", "/auth/me", token)).toMatchObject({ user: { id: person.id, email } });
    return email;
  }

  test("is as it was a week before: what was added since is gone and named, what was there stays", async () => {
    const ada = await register();
    await ask("POST", "/auth/verify-email", undefined, { token: await mailed(ada.email, "/verify-email") });
    const own = {
      passkey: await addPasskey(ada.token, "Own"),
      identity: await link(ada, "own"),
      key: await addKey(ada.token, "own"),
    };
    await age(ada, 8);

    // The thief has her session, prepares, moves the account, and goes on.
    const prepared = await addPasskey(ada.token, "Prepared");
    await addApp(ada.token);
    const linked = await link(ada, "thief's");
    const before = await addKey(ada.token, "before");
    const moved = await move(ada, ada.token);
    const after = await addKey(ada.token, "after");
    const later = await addPasskey(ada.token, "Later");

    const token = await mailed(ada.email, "/revert-email");
    const { messages } = await ask<{ messages: { text?: string }[] }>("GET", `/mail/messages?to=${ada.email}`);
    expect(JSON.stringify(messages)).toContain("a week before its address was first changed");
    const answer = await ask<{ since: string; removed: Record<string, unknown> }>(
      "POST",
      "/auth/email/revert",
      undefined,
      { token },
    );
    const named = (things: { id: string }[]): unknown =>
      expect.arrayContaining(things.map((thing) => expect.objectContaining(thing) as unknown));
    expect(answer.removed).toMatchObject({ totp: true, recoveryCodes: 10, apiKeysInAll: 2 });
    expect(answer.removed.passkeys).toEqual(named([{ id: prepared }, { id: later }]));
    expect(answer.removed.passkeys).toHaveLength(2);
    expect(answer.removed.identities).toEqual([{ id: linked, provider: "p" }]);
    expect(answer.removed.apiKeys).toEqual(named([{ id: before.id }, { id: after.id }]));
    expect(Date.now() - Date.parse(answer.since)).toBeGreaterThan(7 * 86_400_000 - 1_000);

    for (const text of [ada.token, before.key, after.key])
      expect((await send("GET", "/auth/me", text)).status).toBe(401);
    expect((await send("GET", "/auth/me", own.key.key)).status).toBe(200);
    for (const email of [ada.email, moved])
      expect(await refused("POST", "/auth/login", undefined, { email, password })).toBe("401 invalid_credentials");
    const left = await database.client.query(
      `select (select array_agg(id) from auth.passkey where account_id = $1) as passkeys,
              (select array_agg(id) from auth.identity where account_id = $1) as identities,
              (select count(*)::int from auth.totp where account_id = $1) as apps,
              (select count(*)::int from auth.recovery_code where account_id = $1) as codes`,
      [ada.id],
    );
    expect(left.rows).toEqual([{ passkeys: [own.passkey], identities: [own.identity], apps: 0, codes: 0 }]);

    const { rows: entries } = await database.client.query<{ fields: Record<string, unknown> }>(
      "select fields from audit.entry where action = 'auth.email.reverted' and target_id = $1",
      [ada.id],
    );
    expect(entries).toHaveLength(1);
    const entry = entries[0]?.fields ?? {};
    expect(entry).toMatchObject({
      since: answer.since,
      totp: true,
      recoveryCodes: 10,
      identities: linked,
      apiKeysInAll: 2,
    });
    expect(String(entry.passkeys).split(" ").toSorted()).toEqual([prepared, later].toSorted());
    expect(String(entry.apiKeys).split(" ").toSorted()).toEqual([before.id, after.id].toSorted());

    // A new password, and the factor that is hers.
    await ask("POST", "/auth/password/forgot", undefined, { email: ada.email });
    const fresh = "another passphrase of many words";
    await ask("POST", "/auth/password/reset", undefined, {
      token: await mailed(ada.email, "/reset-password"),
      password: fresh,
    });
    const login = await send("POST", "/auth/login", undefined, { email: ada.email, password: fresh });
    expect(await login.json()).toMatchObject({ details: { reason: "second_factor_required", methods: ["passkey"] } });
  });

  test("without a second factor of before signs in by a new password alone, whatever the thief had added", async () => {
    const bob = await register();
    await ask("POST", "/auth/verify-email", undefined, { token: await mailed(bob.email, "/verify-email") });
    await addPasskey(bob.token, "Prepared");
    await addApp(bob.token);
    await move(bob, bob.token);
    const answer = await ask<{ removed: Record<string, unknown> }>("POST", "/auth/email/revert", undefined, {
      token: await mailed(bob.email, "/revert-email"),
    });
    expect(answer.removed).toMatchObject({ sessions: 1, identities: [], apiKeys: [], apiKeysInAll: 0 });
    await ask("POST", "/auth/password/forgot", undefined, { email: bob.email });
    const fresh = "another passphrase of many words";
    await ask("POST", "/auth/password/reset", undefined, {
      token: await mailed(bob.email, "/reset-password"),
      password: fresh,
    });
    const back = await ask<SignedIn>("POST", "/auth/login", undefined, { email: bob.email, password: fresh });
    expect(back.organisation?.id).toBe(bob.organisationId);
  });
});

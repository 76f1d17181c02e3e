// Whatever ends somebody's right to act, at one replica, is known to the others two seconds later: each way of ending, over
// HTTP, on two processes of one native database that have both let the token or key in just before.
import { setTimeout as pause } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeOwnDatabase, type OwnDatabase } from "./support/own-database";
import { type RunningApp, startApp, temporaryStateDir } from "./support/running-app";

/** What is promised. */
const REACHES_WITHIN_MS = 2_000;
const password = "a passphrase of many words";
const masterKey = "the-master-key-of-both-replicas-of-an-app";
const states = [temporaryStateDir(), temporaryStateDir()];

let database: OwnDatabase;
let replicas: RunningApp[] = [];

interface Person {
  email: string;
  id: string;
  organisationId: string;
  token: string;
}

interface SignedIn {
  accessToken: string;
  user: { id: string };
  organisation: { id: string };
}

beforeAll(async () => {
  database = await makeOwnDatabase("endings");
  const start = (at: number): Promise<RunningApp> =>
    startApp(states[at]!.path, {
      DATABASE_URL: database.url,
      MasterKey: masterKey,
      LIMIT_SCALE: "100000",
      LOG_LEVEL: "error",
    });
  replicas = [await start(0)];
  replicas.push(await start(1));
});

afterAll(async () => {
  await Promise.all(replicas.map((replica) => replica.killTree()));
  await database?.drop();
  for (const state of states) state.remove();
});

/** At the first replica; the answer of a request that must succeed. */
async function ask<T>(method: string, path: string, token?: string, body?: unknown): Promise<T> {
  const answer = await fetch(`${replicas[0]!.baseUrl}${path}`, {
    method,
    headers: {
      "content-type": "application/json",
      ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await answer.text();
  expect(answer.status, `${method} ${path}: ${text}`).toBe(200);
  return (text === "" ? {} : JSON.parse(text)) as T;
}

const statusAt = async ({ baseUrl }: RunningApp, token: string): Promise<number> => {
  const answer = await fetch(`${baseUrl}/auth/me`, { headers: { authorization: `Bearer ${token}` } });
  await answer.arrayBuffer();
  return answer.status;
};

async function register(name: string, domain = "endings.example"): Promise<Person> {
  const email = `${name}@${domain}`;
  const made = await ask<SignedIn>("POST", "/auth/register", undefined, { email, password, organisation: name });
  return { email, id: made.user.id, organisationId: made.organisation.id, token: made.accessToken };
}

const signIn = async ({ email }: Person): Promise<string> =>
  (await ask<SignedIn>("POST", "/auth/login", undefined, { email, password })).accessToken;

async function mailed(email: string): Promise<string> {
  let token: string | undefined;
  await expect
    .poll(
      async () => {
        const { messages } = await ask<{ messages: unknown[] }>("GET", `/mail/messages?to=${email}`);
        // Of the invitation: whoever registered has been sent another link before.
        const invitation = messages
          .map((message) => JSON.stringify(message))
          .find((text) => text.includes("/accept-invitation"));
        token = /#token=([\w-]+)/.exec(invitation ?? "")?.[1];
        return token;
      },
      { timeout: 240_000, interval: 100 },
    )
    .toBeDefined();
  return token!;
}

/** Somebody who acts in the owner's organisation. */
async function colleague(owner: Person, name: string, domain?: string): Promise<Person> {
  const person = await register(name, domain);
  await ask("POST", "/auth/invitations", owner.token, { email: person.email, role: "admin" });
  await ask("POST", "/auth/invitations/accept", person.token, { token: await mailed(person.email) });
  const switched = await ask<SignedIn>("POST", "/auth/switch", person.token, { organisationId: owner.organisationId });
  return { ...person, token: switched.accessToken };
}

/** Somebody whom the owner's provider let in, by the word of the domain's organisation alone: neither can be asked here. */
async function vouchedFor(owner: Person, name: string): Promise<{ token: string; domainId: string }> {
  const domain = `${name}.example`;
  const person = await colleague(owner, name, domain);
  const { id: domainId } = await ask<{ id: string }>("POST", "/auth/domains", owner.token, { domain });
  await database.client.query("update auth.domain set verified_at = now() where id = $1", [domainId]);
  await database.client.query(
    `with p as (insert into auth.identity_provider (id, tenant_id, issuer, client_id, default_role, is_required)
                values (gen_random_uuid(), $1, 'https://id.example.com', 'groundwork', 'viewer', false) returning vouch_id)
     update auth.session set amr = '{sso}', vouched_by = array(select vouch_id from p) where account_id = $2`,
    [owner.organisationId, person.id],
  );
  return { token: person.token, domainId };
}

/** What is to end, by the token that shows it, and how. */
async function endings(): Promise<Record<string, { token: string; end: () => Promise<unknown> }>> {
  const owner = await register("owner");
  const inOrganisation = `/auth/organisations/${owner.organisationId}`;
  const [demoted, removed, leaving] = [
    await colleague(owner, "demoted"),
    await colleague(owner, "removed"),
    await colleague(owner, "leaving"),
  ];
  const [ada, bob, carol, closing] = [
    await register("ada"),
    await register("bob"),
    await register("carol"),
    await register("closing"),
  ];
  const givingUp = await register("giving-up");
  const vouched = await vouchedFor(givingUp, "vouched");
  const machine = await ask<{ id: string }>("POST", "/auth/service-principals", owner.token, {
    name: "importer",
    permissions: ["document.read"],
  });
  const newKey = (body: object): Promise<{ id: string; key: string }> =>
    ask("POST", "/auth/api-keys", owner.token, { permissions: ["document.read"], ...body });
  const key = await newKey({ name: "mine" });
  const rotated = await newKey({ name: "rotated" });
  const machines = await newKey({ name: "importer", servicePrincipalId: machine.id });
  const there = await signIn(bob);
  const { sessions } = await ask<{ sessions: { id: string; current: boolean }[] }>("GET", "/auth/sessions", there);
  const other = sessions.find(({ current }) => !current)?.id ?? "";
  return {
    "signing out": { token: ada.token, end: () => ask("POST", "/auth/logout", ada.token, {}) },
    "ending one's other session": {
      token: bob.token,
      end: () => ask("DELETE", `/auth/sessions/${other}`, there),
    },
    "another password": {
      token: carol.token,
      end: async () =>
        ask("POST", "/auth/password/change", await signIn(carol), {
          current: password,
          password: `${password}, another`,
        }),
    },
    "another role": {
      token: demoted.token,
      end: () => ask("PATCH", `/auth/members/${demoted.id}`, owner.token, { role: "viewer" }),
    },
    "being removed": {
      token: removed.token,
      end: () => ask("DELETE", `/auth/members/${removed.id}`, owner.token),
    },
    leaving: { token: leaving.token, end: () => ask("POST", `${inOrganisation}/leave`, leaving.token) },
    "deleting a key": { token: key.key, end: () => ask("DELETE", `/auth/api-keys/${key.id}`, owner.token) },
    "rotating a key at once": {
      token: rotated.key,
      end: () => ask("POST", `/auth/api-keys/${rotated.id}/rotate`, owner.token, { overlapHours: 0 }),
    },
    "disabling a machine": {
      token: machines.key,
      end: () => ask("PATCH", `/auth/service-principals/${machine.id}`, owner.token, { disabled: true }),
    },
    "giving up the domain of who was in by its provider's word": {
      token: vouched.token,
      end: () => ask("DELETE", `/auth/domains/${vouched.domainId}`, givingUp.token),
    },
    "deleting an organisation": {
      token: closing.token,
      end: () => ask("DELETE", `/auth/organisations/${closing.organisationId}`, closing.token),
    },
  };
}

test("each way of ending is known to every replica two seconds later", async () => {
  const all = Object.entries(await endings());
  const statuses = async (): Promise<Record<string, number[]>> =>
    Object.fromEntries(
      await Promise.all(
        all.map(
          async ([how, { token }]) => [how, await Promise.all(replicas.map((at) => statusAt(at, token)))] as const,
        ),
      ),
    );
  const each = (status: number): Record<string, number[]> =>
    Object.fromEntries(all.map(([how]) => [how, replicas.map(() => status)]));
  // Both replicas know every one of them: what follows is not a first look.
  expect(await statuses()).toEqual(each(200));
  for (const [, { end }] of all) await end();
  await pause(REACHES_WITHIN_MS);
  expect(await statuses()).toEqual(each(401));
}, 240_000);

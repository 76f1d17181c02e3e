// Who asks for what: somebody of another organisation, and a colleague without the rights of the owner, ask for every kind of
// thing that an owner has.
import { decodeJwt } from "jose";
import { v7 } from "uuid";
import type { PairRequest } from "./slots";

export interface PairAnswer {
  status: number;
  /** Names in small letters. */
  headers: Record<string, string>;
  text: string;
}

export type PairSend = (request: PairRequest) => Promise<PairAnswer>;

export interface Person {
  email: string;
  accessToken: string;
  refreshToken: string;
  userId: string;
  organisationId: string;
}

export interface PairWorld {
  owner: Person;
  /** Owns another organisation. */
  stranger: Person;
  /** A member of the owner's organisation. */
  colleague: Person;
  /** The owner's things by what they are. */
  things: Record<string, string>;
}

/** What is a person's own, not the organisation's. */
export const PERSONAL = [
  "session",
  "task",
  "openTask",
  "endedTask",
  "saga",
  "runningSaga",
  "stuckSaga",
  "passkey",
  "identity",
  "notification",
  "subscription",
];

const password = "a passphrase of many words";

export async function call<T>(
  send: PairSend,
  method: string,
  path: string,
  body?: unknown,
  by?: { accessToken: string },
): Promise<T> {
  const headers: Record<string, string> = by === undefined ? {} : { authorization: `Bearer ${by.accessToken}` };
  const sent = { method, path, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const { status, text } = await send(sent);
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

interface Session {
  accessToken: string;
  refreshToken: string;
  user: { id: string };
  organisation: { id: string };
}

export async function register(send: PairSend, email: string, more: Record<string, string>): Promise<Person> {
  const { accessToken, refreshToken, user, organisation } = await call<Session>(send, "POST", "/auth/register", {
    email,
    password,
    ...more,
  });
  return { email, accessToken, refreshToken, userId: user.id, organisationId: organisation.id };
}

/** Signed in anew: some endpoints want a sign-in of the last minutes. */
export async function renew(send: PairSend, person: Person): Promise<Person> {
  const { accessToken, refreshToken } = await call<Session>(send, "POST", "/auth/login", {
    email: person.email,
    password,
  });
  return { ...person, accessToken, refreshToken };
}

/** Of the link in the newest mail to the address, as soon as there is one. */
export async function mailedToken(send: PairSend, email: string): Promise<string> {
  for (let tries = 0; tries < 600; tries++) {
    const { text } = await send({ method: "GET", path: `/mail/messages?to=${email}`, headers: {} });
    const [, token] = /#token=([\w-]+)/.exec(text) ?? [];
    if (token !== undefined) return token;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no mail came to ${email}`);
}

/**
 * @param word makes the addresses: two worlds of one app have different ones
 * @param mailed the token of the link in the newest mail to an address; of the mailbox, if not given
 */
export async function makePairWorld(
  send: PairSend,
  word: string,
  mailed = (email: string): Promise<string> => mailedToken(send, email),
): Promise<PairWorld> {
  const owner = await register(send, `owner-${word}@pairs.example`, { organisation: "Owner" });
  const stranger = await register(send, `stranger-${word}@pairs.example`, { organisation: "Stranger" });
  const guest = `colleague-${word}@pairs.example`;
  const made = async (path: string, body: unknown): Promise<string> =>
    (await call<{ id: string }>(send, "POST", path, body, owner)).id;
  await made("/auth/invitations", { email: guest, role: "member" });
  const things: Record<string, string> = {
    organisation: owner.organisationId,
    account: owner.userId,
    session: String(decodeJwt(owner.accessToken).sid),
    document: await made("/vectors/documents", { source: "a.md", text: "Nothing of yours." }),
    asset: await made("/assets?name=a.json", { words: "Nothing of yours." }),
    category: await made("/api/v1/categories", { name: "Nothing of yours." }),
    product: await made("/api/v1/products", { sku: "a", name: "Nothing of yours.", priceMinor: 1, currency: "EUR" }),
    key: await made("/auth/api-keys", { name: "key" }),
    invitation: await made("/auth/invitations", { email: `guest-${word}@pairs.example`, role: "viewer" }),
    service: await made("/auth/service-principals", { name: "machine", permissions: ["document.read"] }),
    role: await made("/auth/roles", { name: "readers", permissions: ["document.read"] }),
    domain: await made("/auth/domains", { domain: `${word}.pairs.example` }),
    secret: "provider",
    budget: "monthly",
  };
  await call(send, "PUT", "/secrets/provider", { value: "a value of the owner" }, owner);
  await call(send, "PUT", "/ai/budgets/monthly", { period: "month", limitMicroUsd: 1, enforcement: "hard" }, owner);
  const { tasks } = await call<{ tasks: { id: string }[] }>(send, "GET", "/tasks", undefined, owner);
  things.task = tasks[0]?.id ?? "";
  const colleague = await register(send, guest, { invitation: await mailed(guest) });
  return { owner, stranger, colleague, things };
}

/** A login that row security does not hold, or the system's scope. */
export interface Planter {
  query(sql: string, params: unknown[]): Promise<unknown>;
}

/**
 * What takes a device, a provider, a failure or luck with the moment to come by: rows as the app writes them.
 * @param word stands in every text of theirs
 */
export async function plantThings(
  database: Planter,
  { owner, things }: { owner: Pick<Person, "userId" | "organisationId">; things: Record<string, string> },
  word = "planted",
): Promise<void> {
  const { userId, organisationId } = owner;
  const plant = async (kind: string, sql: string, params: unknown[]): Promise<void> => {
    things[kind] = v7();
    await database.query(sql, [things[kind], ...params]);
  };
  await plant(
    "passkey",
    `insert into auth.passkey (id, account_id, credential_id, public_key, sign_count, is_synced, is_backed_up, transports, name)
     values ($1::uuid, $2, uuid_send($1::uuid), '\\x00', 0, false, false, '{}', $3)`,
    [userId, word],
  );
  await plant(
    "identity",
    `insert into auth.identity (id, account_id, provider, issuer, subject, how)
     values ($1::uuid, $2, $3, 'https://planted.example', $1::uuid::text, 'linked')`,
    [userId, word],
  );
  await plant(
    "letter",
    `insert into events.dead_letter (id, tenant_id, consumer, event_id, aggregate_type, aggregate_id, type, version, payload, occurred_at, reason, error, attempts)
     values ($1::uuid, $2, $3, $1::uuid, $3, $3, $3, 1, jsonb_build_object('word', $3::text), now(), 'handler_failed', $3, 1)`,
    [organisationId, word],
  );
  await plant(
    "job",
    `insert into queues.dead_letter (id, tenant_id, queue, job_id, payload, reason, error, attempts)
     values ($1::uuid, $2, 'vectors:' || $3::text, $1::uuid::text, jsonb_build_object('word', $3::text), 'handler_failed', $3, 1)`,
    [organisationId, word],
  );
  await plant(
    "domain",
    `insert into auth.domain (id, tenant_id, name, token) values ($1, $2, $3::text || '.planted.example', repeat('x', 43))`,
    [organisationId, word],
  );
  await plant(
    "provider",
    `insert into auth.identity_provider (id, tenant_id, issuer, client_id, default_role, is_required)
     values ($1, $2, 'https://planted.example', $3, 'viewer', false)`,
    [organisationId, word],
  );
  await plantWork(plant, [organisationId, `user:${userId}`, word]);
}

/** Tasks and sagas in each state that somebody can do something to; none is due, so that nothing of theirs changes by itself. */
async function plantWork(
  plant: (kind: string, sql: string, params: unknown[]) => Promise<void>,
  params: unknown[],
): Promise<void> {
  await plant(
    "openTask",
    `insert into queues.task (id, tenant_id, job, actor, state, seen_at)
     values ($1, $2, 'planted:' || $4::text, $3, 'waiting', now() + interval '1 day')`,
    params,
  );
  await plant(
    "endedTask",
    `insert into queues.task (id, tenant_id, job, actor, state, result, ended_at)
     values ($1, $2, 'planted:' || $4::text, $3, 'completed', jsonb_build_object('word', $4::text), now())`,
    params,
  );
  const saga = `insert into sagas.saga (id, tenant_id, name, version, step_names, input, actor, correlation_id, state, stuck_state, stuck_reason, ended_at, due_at)
     select $1::uuid, $2::uuid, 'planted:' || $4::text, 1, array[$4::text], jsonb_build_object('word', $4::text), $3::text, $1::uuid::text`;
  await plant("saga", `${saga}, 'completed', null, null, now(), now()`, params);
  await plant("runningSaga", `${saga}, 'running', null, null, null, now() + interval '1 year'`, params);
  await plant("stuckSaga", `${saga}, 'stuck', 'compensating', 'undo_failed', null, now()`, params);
}

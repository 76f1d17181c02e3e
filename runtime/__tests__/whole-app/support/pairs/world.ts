// Who asks for what: somebody of another organisation, and a colleague without the rights of the owner, ask for every kind of
// thing that an owner has.
import { decodeJwt } from "jose";
import type pg from "pg";
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
export const PERSONAL = ["session", "task", "saga", "passkey", "identity"];

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
  user: { id: string };
  organisation: { id: string };
}

async function register(send: PairSend, email: string, more: Record<string, string>): Promise<Person> {
  const { accessToken, user, organisation } = await call<Session>(send, "POST", "/auth/register", {
    email,
    password,
    ...more,
  });
  return { email, accessToken, userId: user.id, organisationId: organisation.id };
}

/** Signed in anew: some endpoints want a sign-in of the last minutes. */
export async function renew(send: PairSend, person: Person): Promise<Person> {
  const { accessToken } = await call<Session>(send, "POST", "/auth/login", { email: person.email, password });
  return { ...person, accessToken };
}

async function mailedToken(send: PairSend, email: string): Promise<string> {
  for (let tries = 0; tries < 600; tries++) {
    const { text } = await send({ method: "GET", path: `/mail/messages?to=${email}`, headers: {} });
    const [, token] = /#token=([\w-]+)/.exec(text) ?? [];
    if (token !== undefined) return token;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`no mail came to ${email}`);
}

/** @param word makes the addresses: two worlds of one app have different ones */
export async function makePairWorld(send: PairSend, word: string): Promise<PairWorld> {
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
    key: await made("/auth/api-keys", { name: "key" }),
    invitation: await made("/auth/invitations", { email: `guest-${word}@pairs.example`, role: "viewer" }),
    service: await made("/auth/service-principals", { name: "machine", permissions: ["document.read"] }),
    role: await made("/auth/roles", { name: "readers", permissions: ["document.read"] }),
    domain: await made("/auth/domains", { domain: `${word}.pairs.example` }),
    secret: "provider",
  };
  await call(send, "PUT", "/secrets/provider", { value: "a value of the owner" }, owner);
  const { tasks } = await call<{ tasks: { id: string }[] }>(send, "GET", "/tasks", undefined, owner);
  things.task = tasks[0]?.id ?? "";
  const colleague = await register(send, guest, { invitation: await mailedToken(send, guest) });
  return { owner, stranger, colleague, things };
}

/** What takes a device, a provider or a failure to come by: rows as the app writes them. By a login that row security does not hold. */
export async function plantThings(database: pg.Pool, { owner, things }: PairWorld): Promise<void> {
  const [passkey, identity, letter, job, domain, saga] = [v7(), v7(), v7(), v7(), v7(), v7()];
  await database.query(
    `insert into auth.passkey (id, account_id, credential_id, public_key, sign_count, is_synced, is_backed_up, transports, name)
     values ($1::uuid, $2, uuid_send($1::uuid), '\\x00', 0, false, false, '{}', 'Planted')`,
    [passkey, owner.userId],
  );
  await database.query(
    `insert into auth.identity (id, account_id, provider, issuer, subject, how) values ($1::uuid, $2, 'planted', 'https://planted.example', $1::uuid::text, 'linked')`,
    [identity, owner.userId],
  );
  await database.query(
    `insert into events.dead_letter (id, tenant_id, consumer, event_id, aggregate_type, aggregate_id, type, version, payload, occurred_at, reason, error, attempts)
     values ($1::uuid, $2, 'planted', $1::uuid, 'planted', 'planted', 'planted', 1, '{}', now(), 'handler_failed', 'planted', 1)`,
    [letter, owner.organisationId],
  );
  await database.query(
    `insert into queues.dead_letter (id, tenant_id, queue, job_id, payload, reason, error, attempts)
     values ($1::uuid, $2, 'vectors:embed', $1::uuid::text, '{}', 'handler_failed', 'planted', 1)`,
    [job, owner.organisationId],
  );
  await database.query(
    `insert into auth.domain (id, tenant_id, name, token) values ($1, $2, 'planted.example', repeat('x', 43))`,
    [domain, owner.organisationId],
  );
  await database.query(
    `insert into sagas.saga (id, tenant_id, name, version, step_names, input, actor, correlation_id, state, ended_at)
     values ($1::uuid, $2, 'planted:saga', 1, '{}', '{}', $3, $1::uuid::text, 'completed', now())`,
    [saga, owner.organisationId, `user:${owner.userId}`],
  );
  Object.assign(things, { passkey, identity, letter, job, domain, saga });
}

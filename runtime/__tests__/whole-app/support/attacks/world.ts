// Two organisations of one app: a victim, every word of whose data holds a marker, and an attacker with everything that a
// client can have. What the victim's things are called is what the attacker knows: ids, never a marked word.
import { crc32 } from "node:zlib";
import { decodeJwt } from "jose";
import type { Victim } from "../../../../../db/__tests__/victim";
import { plantThings, type Planter } from "../pairs/world";
import { makeServiceThings, plantMessage, unasked } from "../service-things";

export const MARKER = "zanzibarquartz";

export interface Answer {
  status: number;
  body: string;
}

/** One request to the app. */
export type Send = (request: {
  method: string;
  path: string;
  headers?: Record<string, string>;
  body?: string;
}) => Promise<Answer>;

interface Session {
  accessToken: string;
  refreshToken: string;
  user: { id: string };
  organisation: { id: string };
}

export interface Tenant {
  session: Session;
  /** The key of a person, and of a machine. */
  keys: [string, string];
  /** Ids by what they are of. */
  things: Record<string, string>;
}

export interface Attacker extends Tenant {
  /** Signs in again: some of what it sends ends its own sessions. */
  renew(): Promise<void>;
}

export interface AttackWorld {
  victim: Tenant;
  /** In turn: what one of them does waits for locks of its own organisation. */
  attackers: readonly Attacker[];
  judged: Victim;
}

const ATTACKERS = 4;

const IDEMPOTENCY_KEY = "one-key-that-both-may-have";
const BUDGET = "monthly";

const password = "a passphrase of many words";
const emailOf = (word: string): string => `${word}@attacks.example`;

async function call<T>(send: Send, method: string, path: string, body?: unknown, token?: string): Promise<T> {
  const headers = {
    "content-type": "application/json",
    "user-agent": "kit",
    ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
    // Whoever repeats a key gets the answer of the first request: an attacker may send the same.
    ...(path === "/vectors/documents" && body !== undefined ? { "idempotency-key": IDEMPOTENCY_KEY } : {}),
  };
  const request = { method, path, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  const { status, body: text } = await send(request);
  if (status >= 300) throw new Error(`${method} ${path}: ${status} ${text}`);
  return (text === "" ? undefined : JSON.parse(text)) as T;
}

async function makeTenant(send: Send, word: string): Promise<Tenant> {
  const email = emailOf(word);
  const session = await call<Session>(send, "POST", "/auth/register", { email, password, organisation: word });
  const token = session.accessToken;
  const made = <T = { id: string }>(path: string, body: unknown): Promise<T> =>
    call<T>(send, "POST", path, body, token);
  const ingested = { source: `${word}.md`, title: word, text: `All about ${word}.` };
  const document = await made("/vectors/documents", ingested);
  const asset = await made(`/assets?name=${word}.json`, { words: `All that a file says of ${word}.` });
  const category = await made("/api/v1/categories", { name: word });
  const sold = { sku: word, name: word, categoryId: category.id, priceMinor: 1, currency: "EUR", stock: 1 };
  const product = await made("/api/v1/products", sold);
  const said = { category: word, content: { title: word, body: `To everybody of ${word}.` } };
  const notification = await made("/notifications/send", { to: [session.user.id], ...said });
  const { tasks } = await call<{ tasks: { id: string }[] }>(send, "GET", "/tasks", undefined, token);
  await call(send, "PUT", `/ai/budgets/${BUDGET}`, { period: "month", limitMicroUsd: 1, enforcement: "soft" }, token);
  await call(send, "PUT", "/secrets/provider", { value: `the secret of ${word}` }, token);
  const role = await made("/auth/roles", { name: word, permissions: ["document.read"] });
  const machine = await made("/auth/service-principals", { name: word, permissions: ["document.read"] });
  const key = await made<{ id: string; key: string }>("/auth/api-keys", { name: word });
  const machineKey = await made<{ key: string }>("/auth/api-keys", { name: word, servicePrincipalId: machine.id });
  const invitation = await made("/auth/invitations", { email: `guest-of-${email}`, role: "viewer" });
  const domain = await made("/auth/domains", { domain: `0000.${word}.example.com` });
  const things = {
    organisation: session.organisation.id,
    user: session.user.id,
    session: String(decodeJwt(token).sid),
    document: document.id,
    asset: asset.id,
    category: category.id,
    product: product.id,
    notification: notification.id,
    role: role.id,
    machine: machine.id,
    key: key.id,
    invitation: invitation.id,
    domain: domain.id,
    secret: "provider",
    budget: BUDGET,
    task: tasks[0]!.id,
    idempotencyKey: IDEMPOTENCY_KEY,
  };
  return { session, keys: [key.key, machineKey.key], things };
}

async function makeAttacker(send: Send, word: string): Promise<Attacker> {
  const tenant = await makeTenant(send, word);
  const { organisation: organisationId } = tenant.things;
  const { accessToken } = tenant.session;
  const { id: endpoint } = await call<{ id: string }>(send, "POST", "/webhooks/endpoints", unasked(word), accessToken);
  tenant.things.endpoint = endpoint;
  const renew = async (): Promise<void> => {
    const credentials = { email: emailOf(word), password };
    const signedIn = await call<Session>(send, "POST", "/auth/login", credentials);
    attacker.session =
      signedIn.organisation?.id === organisationId
        ? signedIn
        : await call<Session>(send, "POST", "/auth/switch", { organisationId }, signedIn.accessToken);
  };
  const attacker: Attacker = { ...tenant, renew };
  return attacker;
}

/** @param database by a login that row security does not hold: some of the victim's things are planted. */
export async function makeWorld(send: Send, database: Planter, count = ATTACKERS): Promise<AttackWorld> {
  const victim = await makeTenant(send, MARKER);
  const { accessToken, user: victimsOwner } = victim.session;
  Object.assign(
    victim.things,
    await makeServiceThings((method, path, body) => call(send, method, path, body, accessToken), {
      word: MARKER,
      userId: victimsOwner.id,
    }),
  );
  // Whoever delivers to a source has its secret read, which notes so once an hour.
  await send({ method: "POST", path: `/webhooks/in/${victim.things.source}`, body: "{}" });
  const attackers: Attacker[] = [];
  for (let number = 1; number <= count; number++) attackers.push(await makeAttacker(send, `attacker-${number}`));
  for (;;) {
    const { status } = await call<{ status: string }>(
      send,
      "GET",
      `/vectors/documents/${victim.things.document}`,
      undefined,
      victim.session.accessToken,
    );
    if (status === "ready") break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  const { organisation = "", user = "" } = victim.things;
  await plantThings(database, { owner: { organisationId: organisation, userId: user }, things: victim.things }, MARKER);
  await plantMessage(database, { organisationId: organisation, things: victim.things }, MARKER);
  await database.query("insert into queues.task_log (tenant_id, task_id, seq, text) values ($1, $2, 1, $3)", [
    organisation,
    victim.things.endedTask,
    MARKER,
  ]);
  const page = await call<{ next?: string }>(send, "GET", "/tasks?limit=1", undefined, victim.session.accessToken);
  victim.things.cursor = page.next ?? "";
  // Lists of records tell places by their order, all alike.
  const second = { sku: `${MARKER}-2`, name: MARKER, priceMinor: 1, currency: "EUR" };
  await call(send, "POST", "/api/v1/products", second, victim.session.accessToken);
  const records = await call<{ next?: string }>(
    send,
    "GET",
    "/api/v1/products?limit=1",
    undefined,
    victim.session.accessToken,
  );
  victim.things.recordCursor = records.next ?? "";
  return {
    victim,
    attackers,
    judged: {
      marker: MARKER,
      ids: [victim.things.organisation!, victim.things.user!],
      attackers: attackers.map(({ things }) => things.organisation!),
    },
  };
}

/** A text of a key's form and checksum, the first half of one key and the second of another. */
export function splicedKey(own: string, other: string): string {
  const body = own.slice(0, 24) + other.slice(24, -6);
  const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  let check = "";
  for (let rest = crc32(body); check.length < 6; rest = Math.floor(rest / 62)) check = digits[rest % 62]! + check;
  return body + check;
}

/** The attacker's refresh token for the victim's session: the id stands in its first bytes. */
export function splicedRefreshToken(own: string, sessionId: string): string {
  const bytes = Buffer.from(own, "base64url");
  bytes.write(sessionId.replaceAll("-", ""), "hex");
  return bytes.toString("base64url");
}

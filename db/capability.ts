// The tokens by which a transaction proves whose it is: HMAC-SHA-256 (RFC 2104) of the tenant's id, or of the word for
// the system, under a key derived from the master key. The database keeps their hashes (db.capability), so reading all of
// it gives no token, and a statement that an attacker bends can set no other than its own transaction's.
// Reasons and limits: docs/adr/0008-row-security-as-a-capability.md.
import { createHash, createHmac } from "node:crypto";
import type { Pool, PoolClient } from "pg";
import type { TenantId } from "../security/principal";
import { deriveKey, keyIdOf, masterKeyOfTests, masterKeysIn } from "../security/derived-key";
import { RecentMap } from "../security/recent-map";
import { DbError } from "./errors";
import { isUuid } from "./ids";
import { sendPipelined } from "./pipeline";

/** Tenants whose token this process knows to be admitted; one that was forgotten costs a round trip again. */
const ADMITTED_MAX = 20_000;
const PURPOSE = "row security";

interface KeyRing {
  from: string;
  /** The present key's first; the others let its token in where the database knows only theirs. */
  keys: readonly Buffer[];
  /** Of the present key, as envelopes name it. */
  id: Buffer;
  /** Of all of them. */
  ids: readonly Buffer[];
  /** Tokens of the present key: made for each transaction, one would cost a tenth of a small read. */
  tokens: RecentMap<string>;
  /** Tenants whose token of the present key a database knows. */
  admitted: WeakMap<Pool, RecentMap<Promise<void>>>;
}

let masterKey = masterKeyOfTests;
let ring: KeyRing | undefined;

/** Where the secret MasterKey is read: one key or several, the present one first (security/derived-key.ts). */
export function useMasterKey(read: () => string): void {
  masterKey = read;
}

function keyRing(): KeyRing {
  const from = masterKey?.();
  if (from === undefined)
    throw new DbError(
      "misuse",
      "the database is used before the secret MasterKey is known: call startDatabase(masterKey) in encore.service.ts",
    );
  if (ring?.from !== from) ring = makeRing(from);
  return ring;
}

/** Another one when the secret has changed: what is known by the one before holds no more. */
export const presentRing = (): object => keyRing();

/** Hexadecimal, the present one first. */
export const masterKeyIds = (): readonly string[] => keyRing().ids.map((id) => id.toString("hex"));

function makeRing(from: string): KeyRing {
  try {
    const secrets = masterKeysIn(from);
    const [id, ...others] = [keyIdOf(secrets[0]), ...secrets.slice(1).map((secret) => keyIdOf(secret))];
    const keys = secrets.map((secret) => deriveKey(secret, PURPOSE));
    return { from, keys, id, ids: [id, ...others], tokens: new RecentMap(ADMITTED_MAX), admitted: new WeakMap() };
  } catch (cause) {
    throw new DbError("misuse", `row security needs it: ${(cause as Error).message}`, { cause });
  }
}

const tokenOf = (subject: string, key: Buffer): string => createHmac("sha256", key).update(subject).digest("hex");

function presentToken(subject: string): string {
  const { keys, tokens } = keyRing();
  let token = tokens.get(subject);
  if (token === undefined) tokens.set(subject, (token = tokenOf(subject, keys[0] as Buffer)));
  return token;
}

/** The token of one tenant; none for what is no tenant's id, which opens nothing. */
export function tenantToken(tenantId: TenantId): string {
  return isUuid(tenantId) ? presentToken(`tenant ${tenantId.toLowerCase()}`) : "";
}

export const systemToken = (): string => presentToken("system");

const hashOf = (token: string): Buffer => createHash("sha256").update(token).digest();

const SET = "select set_config('app.capability', $1, true)";

/**
 * Makes the system's token known to the database: the first ever by itself, that of a new master key with the one before.
 * @throws DbError `misuse` when the database knows another master key, or has retired this one
 */
export async function admitSystem(client: PoolClient): Promise<void> {
  const { keys, id } = keyRing();
  const hash = hashOf(systemToken());
  for (const key of keys) {
    const [, admitted] = await sendPipelined(client, [
      { text: SET, values: [tokenOf("system", key)] },
      { text: "select db.admit_system($1, $2) as standing", values: [hash, id] },
    ]);
    const standing: unknown = admitted?.rows[0]?.standing;
    if (standing === "known") return;
    if (standing === "retired")
      throw new DbError(
        "misuse",
        `the master key ${id.toString("hex")}, which is the first in the secret MasterKey, was retired on this database: put the one that replaced it first`,
      );
  }
  throw new DbError(
    "misuse",
    `this database belongs to another MasterKey than ${id.toString("hex")}: set the secret to the one it was first used with, or, with the owner's login, \`delete from db.capability where of_tenant is null\` to hand it over`,
  );
}

/** Resolves when the database knows the tenant's token; asks it once per process, tenant and master key. */
export function admitTenant(pool: Pool, tenantId: TenantId, checkout: () => Promise<PoolClient>): Promise<void> {
  if (!isUuid(tenantId)) return Promise.resolve();
  const { admitted: byPool } = keyRing();
  let admitted = byPool.get(pool);
  if (!admitted) byPool.set(pool, (admitted = new RecentMap(ADMITTED_MAX)));
  const known = admitted;
  let asked = known.get(tenantId);
  if (!asked) {
    asked = admit(tenantId, checkout).catch((error: unknown) => {
      known.delete(tenantId);
      throw error;
    });
    known.set(tenantId, asked);
  }
  return asked;
}

async function admit(tenantId: TenantId, checkout: () => Promise<PoolClient>): Promise<void> {
  const client = await checkout();
  try {
    await sendPipelined(client, [
      { text: SET, values: [systemToken()] },
      { text: "select db.admit_tenant($1, $2, $3)", values: [hashOf(tenantToken(tenantId)), tenantId, keyRing().id] },
    ]);
    client.release();
  } catch (error) {
    client.release(error instanceof DbError && error.kind === "unavailable");
    throw error;
  }
}

// Whom a presented API key speaks for. A key is remembered for REMEMBER_MS, which is all that lies between its end
// (revoked, rotated, expired, its maker demoted or removed, its service principal disabled) and its refusal by any process.
import { hash } from "node:crypto";
import type { BlockList } from "node:net";
import { isInNetworks, networkList } from "../security/address";
import { isPermission, type Permission } from "../security/permissions";
import type { AuthData } from "../security/principal";
import { RecentMap } from "../security/recent-map";
import { errors } from "./errors";
import { DIGEST_SHOWN_BYTES, hashKeyText } from "./key-text";
import { heldByRole } from "./authority";
import { apiKeyFind, type PresentedKeyRow } from "./store/api-keys";

const REMEMBER_MS = 1_500;

/** A key that was looked up, and from where it may be used. */
export interface KnownKey {
  readonly identity: AuthData;
  /** Undefined: from everywhere. */
  readonly networks: BlockList | undefined;
}

const remembered = new RecentMap<KnownKey & { untilMs: number }>(10_000);
/** Looked up just now: however many requests wait for one key, it is asked for once. */
const asking = new Map<string, Promise<KnownKey>>();

/** A key that was looked up a moment ago. */
export function knownKey(text: string): KnownKey | undefined {
  const known = remembered.get(hash("sha256", text, "base64url"));
  return known !== undefined && known.untilMs > performance.now() ? known : undefined;
}

/** Whether a key was good when it was last looked up, in this process: what its neighbours invent does not shut it out. */
export const wasGoodKey = (text: string): boolean => remembered.get(hash("sha256", text, "base64url")) !== undefined;

/** @throws TypeError when there is none: unknown, expired, revoked, its maker gone or its service principal disabled. */
export function readKey(text: string): Promise<KnownKey> {
  const digest = hash("sha256", text, "base64url");
  let answer = asking.get(digest);
  if (answer === undefined) {
    answer = lookUp(text, digest).finally(() => asking.delete(digest));
    asking.set(digest, answer);
  }
  return answer;
}

async function lookUp(text: string, digest: string): Promise<KnownKey> {
  const askedAtMs = performance.now();
  const keyHash = hashKeyText(text);
  const row = await apiKeyFind(keyHash);
  if (row === undefined) {
    remembered.delete(digest);
    throw new TypeError("no such key");
  }
  const networks = row.networks.length === 0 ? undefined : networkList(row.networks);
  const known = { identity: identityOf(row, keyHash), networks };
  remembered.set(digest, { ...known, untilMs: askedAtMs + REMEMBER_MS });
  return known;
}

function identityOf(row: PresentedKeyRow, keyHash: Buffer): AuthData {
  const keyDigest = keyHash.toString("base64url", 0, DIGEST_SHOWN_BYTES);
  const scope = scopeOfKey(row).join(" ");
  const { id, tenantId, serviceId } = row;
  return serviceId === null
    ? { userID: id, tenantId, kind: "key", scope, keyDigest }
    : { userID: serviceId, tenantId, kind: "service", scope, keyId: id, keyDigest };
}

/** What a key gives now: what it names of what its holder may. */
export function scopeOfKey(row: PresentedKeyRow): Permission[] {
  const held = heldBy(row);
  return row.permissions.filter(isPermission).filter((name) => held.has(name));
}

const nothing: ReadonlySet<Permission> = new Set();

function heldBy({ role, rolePermissions, servicePermissions }: PresentedKeyRow): ReadonlySet<Permission> {
  if (servicePermissions !== null) return new Set(servicePermissions.filter(isPermission));
  return role === null ? nothing : heldByRole({ role, rolePermissions });
}

/**
 * The identity of a key, to a caller at this address.
 * @throws APIError address_not_allowed: from another network, or from an address that nobody could tell.
 */
export function identityAt({ identity, networks }: KnownKey, address: string | undefined): AuthData {
  if (networks !== undefined && (address === undefined || !isInNetworks(networks, address)))
    throw errors.address_not_allowed();
  return identity;
}

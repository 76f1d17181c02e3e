// API keys: making, revoking, and whom a presented one speaks for. A key is remembered for REMEMBER_MS, which is all that
// lies between its end (revoked, expired, its maker demoted or removed) and its refusal by any process.
import { hash } from "node:crypto";
import { z } from "zod";
import { defineAction } from "../audit/action";
import { record } from "../audit/record";
import { newId } from "../db/ids";
import { withTenant, type Tx } from "../db/tenant";
import { apiKeyCreated, apiKeyRevoked } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import { commonErrors } from "../security/common-errors";
import { parseInput } from "../security/input";
import { isPermission, keyPermissions, permissionsOf, type Permission } from "../security/permissions";
import { tenantIdFrom, type AuthData, type Principal } from "../security/principal";
import { RecentMap } from "../security/recent-map";
import { errors } from "./errors";
import { createKeyText, hashKeyText } from "./key-text";
import { apiKeyCount, apiKeyDelete, apiKeyDeleteOfAccount, apiKeyFind, apiKeyInsert } from "./store/api-keys";
import { membershipLock } from "./store/memberships";

export const API_KEYS_PER_ORGANISATION_MAX = 100;
const DAYS_DEFAULT = 90;
const REMEMBER_MS = 1_500;

const created = defineAction("auth.api_key.created", { name: "plain", permissions: "plain" });
const revoked = defineAction("auth.api_key.revoked", {});

const keyName = z.string().trim().min(1, "is empty").max(100, "is longer than 100 characters");

export interface CreatedKey {
  id: string;
  key: string;
  name: string;
  permissions: Permission[];
  expiresAt: Date;
}

/**
 * A key with what was asked for of what its maker may do; all of that, when nothing is. Rights over people, keys and the
 * organisation itself are for people: whoever steals a key must not be able to outlive it.
 * @throws APIError invalid_request, too_many_api_keys.
 */
export async function createApiKey(
  principal: Principal,
  input: { name: string; permissions?: readonly string[] | undefined; expiresInDays?: number | undefined },
): Promise<CreatedKey> {
  const { name } = parseInput(z.object({ name: keyName }), { name: input.name });
  const permissions = scopeFor(principal, input.permissions);
  const { tenantId, subjectId } = principal;
  const { text, prefix, hash: keyHash } = createKeyText();
  const id = newId();
  const expiresAt = await withTenant(principal, async (tx) => {
    await membershipLock(tx, tenantId);
    if ((await apiKeyCount(tx, tenantId)) >= API_KEYS_PER_ORGANISATION_MAX) throw errors.too_many_api_keys();
    const days = input.expiresInDays ?? DAYS_DEFAULT;
    const key = { id, tenantId, accountId: subjectId, name, prefix, hash: keyHash, permissions, days };
    const expires = await apiKeyInsert(tx, key);
    const payload = { keyId: id, organisationId: tenantId, createdBy: subjectId, permissions };
    await emit(tx, apiKeyCreated, payload, { aggregateType: "api-key", aggregateId: id });
    await record(tx, created, {
      target: { type: "api_key", id },
      fields: { name, permissions: permissions.join(" ") },
    });
    return expires;
  });
  return { id, key: text, name, permissions, expiresAt };
}

function scopeFor(principal: Principal, wanted: readonly string[] | undefined): Permission[] {
  const unknown = wanted?.find((name) => !isPermission(name));
  if (unknown !== undefined)
    throw commonErrors.invalid_request({ fields: { permissions: "names one that does not exist" } });
  const scope = keyPermissions.filter(
    (permission) => principal.permissions.has(permission) && (wanted?.includes(permission) ?? true),
  );
  if (scope.length === 0)
    throw commonErrors.invalid_request({ fields: { permissions: "holds none that you may give to a key" } });
  return scope;
}

/** @throws APIError api_key_not_found, also for a key of another organisation. */
export async function revokeApiKey(principal: Principal, id: string): Promise<void> {
  const { tenantId } = principal;
  await withTenant(principal, async (tx) => {
    if (!(await apiKeyDelete(tx, { tenantId, id }))) throw errors.api_key_not_found();
    const payload = { keyId: id, organisationId: tenantId };
    await emit(tx, apiKeyRevoked, payload, { aggregateType: "api-key", aggregateId: id });
    await record(tx, revoked, { target: { type: "api_key", id }, fields: {} });
  });
}

const KEYS_OF_ACCOUNT_MAX = 10_000;

/** Revokes the keys that an account made, in all its organisations. */
export async function forgetApiKeys(tx: Tx, accountId: string): Promise<void> {
  for (const { id, tenantId: tenant } of await apiKeyDeleteOfAccount(tx, accountId, KEYS_OF_ACCOUNT_MAX)) {
    const tenantId = tenantIdFrom(tenant);
    const payload = { keyId: id, organisationId: tenantId };
    await emit(tx, apiKeyRevoked, payload, { aggregateType: "api-key", aggregateId: id, tenantId });
    await record(tx, revoked, { tenantId, target: { type: "api_key", id }, fields: {} });
  }
}

const remembered = new RecentMap<{ identity: AuthData; untilMs: number }>(10_000);
/** Looked up just now: however many requests wait for one key, it is asked for once. */
const asking = new Map<string, Promise<AuthData>>();

/** The identity of a key that was looked up a moment ago. */
export function knownKey(text: string): AuthData | undefined {
  const known = remembered.get(hash("sha256", text, "base64url"));
  return known !== undefined && known.untilMs > performance.now() ? known.identity : undefined;
}

/** The identity of a key. @throws TypeError when there is none: unknown, expired, revoked, or its maker is gone. */
export function readKey(text: string): Promise<AuthData> {
  const digest = hash("sha256", text, "base64url");
  let answer = asking.get(digest);
  if (answer === undefined) {
    answer = lookUp(text, digest).finally(() => asking.delete(digest));
    asking.set(digest, answer);
  }
  return answer;
}

async function lookUp(text: string, digest: string): Promise<AuthData> {
  const askedAtMs = performance.now();
  const row = await apiKeyFind(hashKeyText(text));
  if (row === undefined) throw new TypeError("no such key");
  const held = permissionsOf(row.role);
  const scope = row.permissions.filter((name) => isPermission(name) && held.has(name)).join(" ");
  const identity: AuthData = { userID: row.id, tenantId: row.tenantId, kind: "key", scope };
  remembered.set(digest, { identity, untilMs: askedAtMs + REMEMBER_MS });
  return identity;
}

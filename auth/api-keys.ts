// API keys: making, rotating, revoking. A key is its maker's, or a service principal's (service-principals.ts). Whom a
// presented one speaks for is in key-identity.ts.
import { z } from "zod";
import { defineAction } from "../audit/action";
import { record } from "../audit/record";
import { parseNetwork } from "../config/network";
import { newId } from "../db/ids";
import { withSystem, type Tx } from "../db/tenant";
import { apiKeyCreated, apiKeyRevoked, apiKeyRotated } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import { commonErrors } from "../security/common-errors";
import { parseInput } from "../security/input";
import { isPermission, type Permission } from "../security/permissions";
import { tenantIdFrom, type Principal, type TenantId } from "../security/principal";
import { lockActing } from "./acting-now";
import { assertHoldsStored, scopeFor } from "./authority";
import { errors } from "./errors";
import { requestMail } from "./jobs";
import { createKeyText } from "./key-text";
import {
  apiKeyCount,
  apiKeyDelete,
  apiKeyDeleteExpiredOfAccount,
  apiKeyDeleteOfAccount,
  apiKeyDeleteOfMember,
  apiKeyExpireOfAccount,
  apiKeyFindForUpdate,
  apiKeyInsert,
  apiKeyRotate,
  type HeldApiKeyRow,
  type KeyOfAccountRow,
  type KeyHolder,
} from "./store/api-keys";
import { servicePrincipalFindForUpdate } from "./store/service-principals";

export const API_KEYS_PER_ORGANISATION_MAX = 100;
export const NETWORKS_PER_KEY_MAX = 20;
/** How long the secret before may stay good: a week is enough to bring the new one everywhere. */
export const OVERLAP_HOURS_MAX = 168;
const OVERLAP_HOURS_DEFAULT = 24;
const DAYS_DEFAULT = 90;

const created = defineAction("auth.api_key.created", {
  name: "plain",
  permissions: "plain",
  networks: "plain",
  servicePrincipalId: "plain",
});
const rotated = defineAction("auth.api_key.rotated", { previousUntil: "plain" });
const revoked = defineAction("auth.api_key.revoked", {});

export const keyName = z.string().trim().min(1, "is empty").max(100, "is longer than 100 characters");

export interface NewKey {
  name: string;
  permissions?: readonly string[] | undefined;
  expiresInDays?: number | undefined;
  /** In CIDR notation; from everywhere if none. */
  networks?: readonly string[] | undefined;
  /** For a service principal instead of the caller. */
  servicePrincipalId?: string | undefined;
}

export interface CreatedKey {
  id: string;
  key: string;
  name: string;
  permissions: Permission[];
  networks: string[];
  expiresAt: Date;
}

/**
 * A key with what was asked for of what its maker may give; all of that, when nothing is. Its maker is told by mail.
 * @throws APIError invalid_request, service_principal_not_found, too_many_api_keys.
 */
export async function createApiKey(principal: Principal, input: NewKey): Promise<CreatedKey> {
  const { name } = parseInput(z.object({ name: keyName }), { name: input.name });
  const networks = networksIn(input.networks ?? []);
  const { tenantId, subjectId } = principal;
  const { text, prefix, hash } = createKeyText();
  const id = newId();
  const { permissions, expiresAt } = await changingKeys(principal, async (tx, held) => {
    if ((await apiKeyCount(tx, tenantId)) >= API_KEYS_PER_ORGANISATION_MAX) throw errors.too_many_api_keys();
    const { holder, permissions: scope } = await holderFor(tx, principal, held, input);
    const days = input.expiresInDays ?? DAYS_DEFAULT;
    const expires = await apiKeyInsert(tx, {
      id,
      tenantId,
      holder,
      name,
      prefix,
      hash,
      permissions: scope,
      networks,
      days,
    });
    const { servicePrincipalId } = input;
    await emit(
      tx,
      apiKeyCreated,
      {
        keyId: id,
        organisationId: tenantId,
        createdBy: subjectId,
        permissions: scope,
        ...(servicePrincipalId === undefined ? {} : { servicePrincipalId }),
      },
      { aggregateType: "api-key", aggregateId: id, tenantId },
    );
    await requestMail(tx, { kind: "api-key-created", accountId: subjectId }, tenantId);
    const facts = { permissions: scope.join(" "), networks: networks.join(" ") };
    const fields = { name, ...facts, servicePrincipalId: servicePrincipalId ?? null };
    await record(tx, created, { tenantId, target: { type: "api_key", id }, fields });
    return { permissions: scope, expiresAt: expires };
  });
  return { id, key: text, name, permissions, networks, expiresAt };
}

/** A key lets in for months who had a session for a second more. @throws APIError invalid_token, permission_denied. */
function changingKeys<T>(
  principal: Principal,
  work: (tx: Tx, held: ReadonlySet<Permission>) => Promise<T>,
): Promise<T> {
  return withSystem("change-api-keys", async (tx) => work(tx, await lockActing(tx, principal, "api_key.manage")));
}

/** Whose the key is to be, and with what. */
async function holderFor(
  tx: Tx,
  principal: Principal,
  held: ReadonlySet<Permission>,
  { servicePrincipalId: id, permissions }: NewKey,
): Promise<{ holder: KeyHolder; permissions: Permission[] }> {
  if (id === undefined) return { holder: { accountId: principal.subjectId }, permissions: scopeFor(held, permissions) };
  const service = await servicePrincipalFindForUpdate(tx, { tenantId: principal.tenantId, id });
  if (service === undefined) throw errors.service_principal_not_found();
  const both = new Set(service.permissions.filter(isPermission).filter((name) => held.has(name)));
  return { holder: { serviceId: id }, permissions: scopeFor(both, permissions) };
}

function networksIn(texts: readonly string[]): string[] {
  const invalid = (problem: string): Error => commonErrors.invalid_request({ fields: { networks: problem } });
  if (texts.length > NETWORKS_PER_KEY_MAX) throw invalid(`has more than ${NETWORKS_PER_KEY_MAX}`);
  const networks = texts.map((text) => {
    const network = parseNetwork(text);
    if (network === undefined) throw invalid("holds one that is no network in CIDR notation, such as 203.0.113.0/24");
    return network;
  });
  return [...new Set(networks)];
}

export interface Rotation {
  /** How long the secret before stays good; 0: it ends now. */
  overlapHours?: number | undefined;
  expiresInDays?: number | undefined;
}

export interface RotatedApiKey {
  id: string;
  key: string;
  expiresAt: Date;
  previousUntil: Date;
}

/**
 * Gives a key another secret and a new life; the secret before stays good for a while, so that programs can be given the
 * new one. One of before that is good no more. A person's key is rotated by that person, because who rotates learns the
 * secret; a service principal's by whoever holds all that it names. @throws APIError api_key_not_found, permission_denied.
 */
export async function rotateApiKey(principal: Principal, id: string, rotation: Rotation): Promise<RotatedApiKey> {
  const { tenantId, subjectId } = principal;
  const { text, prefix, hash } = createKeyText();
  const overlapHours = rotation.overlapHours ?? OVERLAP_HOURS_DEFAULT;
  const days = rotation.expiresInDays ?? DAYS_DEFAULT;
  const times = await changingKeys(principal, async (tx, held) => {
    const key = await apiKeyFindForUpdate(tx, { tenantId, id });
    if (key === undefined) throw errors.api_key_not_found();
    assertMayLearn(principal, held, key);
    const done = await apiKeyRotate(tx, { tenantId, id, prefix, hash, overlapHours, days });
    const previousUntil = done.previousUntil.toISOString();
    const payload = { keyId: id, organisationId: tenantId, previousUntil };
    await emit(tx, apiKeyRotated, payload, { aggregateType: "api-key", aggregateId: id, tenantId });
    await requestMail(tx, { kind: "api-key-rotated", accountId: subjectId }, tenantId);
    await record(tx, rotated, { tenantId, target: { type: "api_key", id }, fields: { previousUntil } });
    return done;
  });
  return { id, key: text, ...times };
}

function assertMayLearn(principal: Principal, held: ReadonlySet<Permission>, key: HeldApiKeyRow): void {
  if (key.servicePermissions === null) {
    if (key.accountId !== principal.subjectId)
      throw commonErrors.permission_denied({ internal: "a person's key is rotated by that person" });
    return;
  }
  // All that the key names, and not what its machine may at the moment: a machine that gets more later gives it to the key.
  assertHoldsStored(held, key.permissions);
}

/** @throws APIError api_key_not_found, also for a key of another organisation. */
export async function revokeApiKey(principal: Principal, id: string): Promise<void> {
  const { tenantId } = principal;
  await changingKeys(principal, async (tx) => {
    if (!(await apiKeyDelete(tx, { tenantId, id }))) throw errors.api_key_not_found();
    await tellRevoked(tx, tenantId, id);
  });
}

/** What the end of a key leaves behind. */
export async function tellRevoked(tx: Tx, tenantId: TenantId, id: string): Promise<void> {
  const payload = { keyId: id, organisationId: tenantId };
  await emit(tx, apiKeyRevoked, payload, { aggregateType: "api-key", aggregateId: id, tenantId });
  await record(tx, revoked, { tenantId, target: { type: "api_key", id }, fields: {} });
}

const KEYS_OF_ACCOUNT_MAX = 10_000;
/** That one transaction tells of: each is an event, and an entry in a log that nobody else writes to meanwhile. */
export const KEYS_TOLD_MAX = 100;

export type ForgottenKey = KeyOfAccountRow;

/**
 * Revokes the keys that an account made, in all its organisations. One organisation's log after the other, in their order, so that
 * two who write to several never wait for each other.
 */
export async function forgetApiKeys(tx: Tx, accountId: string): Promise<void> {
  await tellAllRevoked(tx, await apiKeyDeleteOfAccount(tx, accountId, KEYS_OF_ACCOUNT_MAX));
}

/**
 * Those that were made or rotated since open nothing from the commit on: one statement, however many there are. What is
 * left of them goes by removeShutKeys. The caller holds the account's lock.
 */
export const shutApiKeys = (tx: Tx, accountId: string, since: Date): Promise<ForgottenKey[]> =>
  apiKeyExpireOfAccount(tx, accountId, KEYS_OF_ACCOUNT_MAX, since);

/** Removes some of them, and tells of it; resolves with whether none is left. */
export async function removeShutKeys(tx: Tx, accountId: string, since: Date): Promise<boolean> {
  const removed = await apiKeyDeleteExpiredOfAccount(tx, accountId, KEYS_TOLD_MAX, since);
  await tellAllRevoked(tx, removed);
  return removed.length < KEYS_TOLD_MAX;
}

async function tellAllRevoked(tx: Tx, keys: readonly ForgottenKey[]): Promise<void> {
  for (const { id, tenantId } of keys) await tellRevoked(tx, tenantIdFrom(tenantId), id);
}

/**
 * Revokes the keys that an account made in an organisation, for one that is no member of it any more: who comes back gets no keys
 * of before. The caller holds membershipLock.
 */
export async function forgetApiKeysIn(tx: Tx, member: { tenantId: TenantId; accountId: string }): Promise<void> {
  for (const { id } of await apiKeyDeleteOfMember(tx, member)) await tellRevoked(tx, member.tenantId, id);
}

// The API keys of the caller's organisation.
import { api, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { pageOf, parseCursor } from "../../db/cursor";
import { isUuid } from "../../db/ids";
import { currentPrincipal } from "../../security/principal";
import { createApiKey as create, revokeApiKey as revoke, rotateApiKey as rotate } from "../api-keys";
import { errors } from "../errors";
import { apiKeyList, type ListedApiKeyRow } from "../store/api-keys";

interface CreateKeyRequest {
  name: string & MinLen<1> & MaxLen<200>;
  /** What it may do, as far as you may; all that you may give to a key if not given. */
  permissions?: string[];
  /** 90 if not given. */
  expiresInDays?: number & Min<1> & Max<365>;
  /** From where it may be used, in CIDR notation, IPv4 or IPv6, 20 at most; from everywhere if not given. */
  networks?: (string & MaxLen<64>)[];
  /** Makes it a key of this service principal, within its permissions, instead of yours. */
  servicePrincipalId?: string;
}

interface CreateKeyResponse {
  id: string;
  /** For the Authorization header, after "Bearer ". It is shown this once. */
  key: string;
  name: string;
  permissions: string[];
  networks: string[];
  /** ISO 8601. */
  expiresAt: string;
}

/** Makes a key that acts in the organisation, within its permissions and your role, or a service principal's. */
export const createApiKey = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/api-keys",
    sensitive: true,
    tags: ["can:api_key.manage", "fresh", "limit:auth", "idempotent"],
  },
  async ({ expiresInDays, ...req }: CreateKeyRequest): Promise<CreateKeyResponse> => {
    const principal = currentPrincipal();
    const { servicePrincipalId } = req;
    if (servicePrincipalId !== undefined && !isUuid(servicePrincipalId)) throw errors.service_principal_not_found();
    const made = await create(principal, { ...req, expiresInDays: wholeOf(expiresInDays) });
    return { ...made, expiresAt: made.expiresAt.toISOString() };
  },
);

const wholeOf = (number: number | undefined): number | undefined =>
  number === undefined ? undefined : Math.floor(number);

interface RotateKeyRequest {
  id: string;
  /** How long the secret before stays good, 24 if not given; 0 ends it now. */
  overlapHours?: number & Min<0> & Max<168>;
  /** Of the new secret; 90 if not given. */
  expiresInDays?: number & Min<1> & Max<365>;
}

interface RotateKeyResponse {
  id: string;
  /** It is shown this once. */
  key: string;
  /** ISO 8601. */
  expiresAt: string;
  /** The end of the secret before. ISO 8601. */
  previousUntil: string;
}

/** Gives a key another secret; the one before stays good for a while. Of yours, or of a service principal. */
export const rotateApiKey = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/api-keys/:id/rotate",
    sensitive: true,
    tags: ["can:api_key.manage", "fresh", "limit:auth", "idempotent"],
  },
  async ({ id, overlapHours, expiresInDays }: RotateKeyRequest): Promise<RotateKeyResponse> => {
    const principal = currentPrincipal();
    if (!isUuid(id)) throw errors.api_key_not_found();
    const rotation = { overlapHours: wholeOf(overlapHours), expiresInDays: wholeOf(expiresInDays) };
    const { key, expiresAt, previousUntil } = await rotate(principal, id, rotation);
    return { id, key, expiresAt: expiresAt.toISOString(), previousUntil: previousUntil.toISOString() };
  },
);

interface KeysRequest {
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface ListedKey {
  id: string;
  name: string;
  /** The first characters of the key. */
  prefix: string;
  permissions: string[];
  /** From where it may be used; empty: from everywhere. */
  networks: string[];
  /** The user who made it, with whose membership it ends; absent for a service principal's. */
  createdBy?: string;
  servicePrincipalId?: string;
  /** ISO 8601. */
  createdAt: string;
  /** Absent for a key that was never rotated. */
  rotatedAt?: string;
  /** While the secret before the last rotation is good. */
  previousUntil?: string;
  expiresAt: string;
  /** To the hour; absent for a key that was never used. */
  lastUsedAt?: string;
}

interface KeysResponse {
  keys: ListedKey[];
  /** Absent on the last page. */
  next?: string;
}

/** The organisation's keys, the newest first. */
export const listApiKeys = api(
  { expose: true, auth: true, method: "GET", path: "/auth/api-keys", tags: ["can:api_key.read"] },
  async ({ limit = 50, cursor }: KeysRequest): Promise<KeysResponse> => {
    const atMost = Math.floor(limit);
    const { rows, next } = pageOf(await apiKeyList(currentPrincipal(), atMost, parseCursor(cursor)), atMost);
    const keys = rows.map(shownKey);
    return { keys, ...(next === undefined ? {} : { next }) };
  },
);

function shownKey(row: ListedApiKeyRow): ListedKey {
  const { id, name, prefix, permissions, networks, createdBy, serviceId } = row;
  const { createdAt, expiresAt, rotatedAt, previousUntil, lastUsedAt } = row;
  return {
    id,
    name,
    prefix,
    permissions,
    networks,
    ...(createdBy === null ? {} : { createdBy }),
    ...(serviceId === null ? {} : { servicePrincipalId: serviceId }),
    createdAt: createdAt.toISOString(),
    ...(rotatedAt === null ? {} : { rotatedAt: rotatedAt.toISOString() }),
    ...(previousUntil === null ? {} : { previousUntil: previousUntil.toISOString() }),
    expiresAt: expiresAt.toISOString(),
    ...(lastUsedAt === null ? {} : { lastUsedAt: lastUsedAt.toISOString() }),
  };
}

/** Revokes a key: every process refuses it within two seconds. */
export const revokeApiKey = api(
  { expose: true, auth: true, method: "DELETE", path: "/auth/api-keys/:id", tags: ["can:api_key.manage"] },
  async ({ id }: { id: string }): Promise<void> => {
    const principal = currentPrincipal();
    if (!isUuid(id)) throw errors.api_key_not_found();
    await revoke(principal, id);
  },
);

// The API keys of the caller's organisation.
import { api, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { pageOf, parseCursor } from "../../db/cursor";
import { isUuid } from "../../db/ids";
import { currentPrincipal } from "../../security/principal";
import { createApiKey as create, revokeApiKey as revoke } from "../api-keys";
import { errors } from "../errors";
import { apiKeyList } from "../store/api-keys";

interface CreateKeyRequest {
  name: string & MinLen<1> & MaxLen<200>;
  /** What it may do, as far as you may; all that you may give to a key if not given. */
  permissions?: string[];
  /** 90 if not given. */
  expiresInDays?: number & Min<1> & Max<365>;
}

interface CreateKeyResponse {
  id: string;
  /** For the Authorization header, after "Bearer ". It is shown this once. */
  key: string;
  name: string;
  permissions: string[];
  /** ISO 8601. */
  expiresAt: string;
}

/** Makes a key that acts in the organisation, within its permissions and your role. */
export const createApiKey = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/api-keys",
    sensitive: true,
    tags: ["can:api_key.manage", "fresh", "limit:auth"],
  },
  async ({ name, permissions, expiresInDays }: CreateKeyRequest): Promise<CreateKeyResponse> => {
    const days = expiresInDays === undefined ? undefined : Math.floor(expiresInDays);
    const made = await create(currentPrincipal(), { name, permissions, expiresInDays: days });
    return { ...made, expiresAt: made.expiresAt.toISOString() };
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
  /** The user who made it; it ends with their membership. */
  createdBy: string;
  /** ISO 8601. */
  createdAt: string;
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
    const keys = rows.map(({ id, name, prefix, permissions, createdBy, createdAt, expiresAt, lastUsedAt }) => ({
      id,
      name,
      prefix,
      permissions,
      createdBy,
      createdAt: createdAt.toISOString(),
      expiresAt: expiresAt.toISOString(),
      ...(lastUsedAt === null ? {} : { lastUsedAt: lastUsedAt.toISOString() }),
    }));
    return { keys, ...(next === undefined ? {} : { next }) };
  },
);

/** Revokes a key: every process refuses it within two seconds. */
export const revokeApiKey = api(
  { expose: true, auth: true, method: "DELETE", path: "/auth/api-keys/:id", tags: ["can:api_key.manage"] },
  async ({ id }: { id: string }): Promise<void> => {
    const principal = currentPrincipal();
    if (!isUuid(id)) throw errors.api_key_not_found();
    await revoke(principal, id);
  },
);

// Secrets that an organisation entrusts to the app. They go in by an endpoint and out to code alone (readSecret): no endpoint
// answers one, no log, trace, event or audit entry holds one.
import { defineAction } from "../audit/action";
import { record } from "../audit/record";
import { withActing } from "../db/acting";
import { newId } from "../db/ids";
import { withTenant, type TenantScope, type Tx } from "../db/tenant";
import { EnvelopeError, open, seal, type Keyset } from "../security/envelope";
import { commonErrors } from "../security/common-errors";
import type { Principal } from "../security/principal";
import { errors } from "./errors";
import { SecretText } from "./secret-text";
import {
  secretCount,
  secretDelete,
  secretFind,
  secretListSealedByOthers,
  secretLock,
  secretNamesAmong,
  secretPut,
  secretReseal,
  secretUsed,
  tenantKeyCount,
} from "./store";
import { addTenantKey, tenantKeyset } from "./tenant-keys";

const NAME = /^[a-z][a-z0-9_.-]{0,63}$/;
const VALUE_MAX_BYTES = 16 << 10;
/** Of an organisation: enough for every service it uses, few enough to seal again in one transaction. */
const SECRETS_MAX = 200;
/** Of an organisation, until upkeep removes those that seal nothing: whoever reads a secret opens them all. */
export const DATA_KEYS_MAX = 50;
/** A hint tells a short secret. */
const HINT_FROM_CHARS = 20;
const HINT_CHARS = 4;

const secretStored = defineAction("secrets.secret.stored", { name: "plain", version: "plain" });
const secretRemoved = defineAction("secrets.secret.removed", { name: "plain" });
const keyRotated = defineAction("secrets.key.rotated", { secrets: "plain" });

const contextOf = (tenantId: string, name: string): string => `secrets.secret:${tenantId}:${name}`;

/** For endpoints: whoever changes what an organisation keeps secret is asked again. @throws APIError invalid_token, permission_denied */
export function changingSecrets<T>(principal: Principal, work: (tx: Tx) => Promise<T>): Promise<T> {
  return withActing(principal, { permission: "secret.manage", reason: "change-secrets" }, work);
}

/** Stores a secret, or replaces it. Resolves with its version, from 1. @throws APIError invalid_request, too_many_secrets */
export function putSecret(scope: TenantScope, name: string, value: string): Promise<number> {
  return withTenant(scope, (tx) => putSecretIn(tx, scope, name, value));
}

/** The same in the caller's transaction. */
export async function putSecretIn(tx: Tx, scope: TenantScope, name: string, value: string): Promise<number> {
  const plain = Buffer.from(value);
  if (!NAME.test(name))
    throw commonErrors.invalid_request({
      fields: { name: "must begin with a lower-case letter and hold those, digits, _, . and -, at most 64 in all" },
    });
  if (plain.length === 0 || plain.length > VALUE_MAX_BYTES)
    throw commonErrors.invalid_request({ fields: { value: "must be 1 to 16384 bytes of UTF-8" } });
  const { tenantId } = scope;
  await secretLock(tx, tenantId);
  const keyset = await tenantKeyset(tx, tenantId);
  const version = await secretPut(tx, {
    id: newId(),
    tenantId,
    name,
    sealed: seal(keyset, plain, contextOf(tenantId, name)),
    keyId: keyset[0].id,
    hint: value.length < HINT_FROM_CHARS ? "" : [...value].slice(-HINT_CHARS).join(""),
  });
  if ((await secretCount(tx, tenantId)) > SECRETS_MAX) throw errors.too_many_secrets();
  await record(tx, secretStored, { tenantId, target: { type: "secret", id: name }, fields: { name, version } });
  return version;
}

/** In the caller's transaction. @throws APIError secret_not_found */
export async function removeSecretIn(tx: Tx, scope: TenantScope, name: string): Promise<void> {
  if (!(await secretDelete(tx, scope.tenantId, name))) throw errors.secret_not_found();
  const target = { type: "secret", id: name };
  await record(tx, secretRemoved, { tenantId: scope.tenantId, target, fields: { name } });
}

/** Names that begin so are those of other rooms of the app, which have rules of their own for them. */
const OWN_PREFIX = "app.";

/** Of the endpoints, for everybody's own secrets. @throws APIError invalid_request */
export function assertNotOwn(name: string): void {
  if (name.startsWith(OWN_PREFIX))
    throw commonErrors.invalid_request({
      fields: { name: `begins with ${OWN_PREFIX}: what it is for has an endpoint of its own` },
    });
}

/**
 * The secret, for the call it is meant for: ask for it then, keep it nowhere. It notes that it was used, to the hour.
 * @throws APIError secret_not_found, secret_unreadable
 */
export function readSecret(scope: TenantScope, name: string): Promise<SecretText> {
  return withTenant(scope, (tx) => readSecretIn(tx, scope, name));
}

/** The same in the caller's transaction. */
export async function readSecretIn(tx: Tx, { tenantId }: TenantScope, name: string): Promise<SecretText> {
  const row = await secretFind(tx, tenantId, name);
  if (row === undefined) throw errors.secret_not_found();
  const keyset = await tenantKeyset(tx, tenantId);
  const text = opened(keyset, row.sealed, contextOf(tenantId, name));
  if (row.isUseDue) await secretUsed(tx, tenantId, name);
  return new SecretText(text.toString());
}

/** Which of these secrets there are. It counts as no use of them. */
export async function storedAmong(scope: TenantScope, names: readonly string[]): Promise<ReadonlySet<string>> {
  return new Set(await secretNamesAmong(scope, names));
}

function opened(keyset: Keyset, sealed: Buffer, context: string): Buffer {
  try {
    return open(keyset, sealed, context);
  } catch (cause) {
    if (cause instanceof EnvelopeError) throw errors.secret_unreadable({ cause });
    throw cause;
  }
}

/** A new data key, and everything sealed with it at once. Resolves with how many secrets that were. @throws APIError secret_unreadable, too_many_data_keys */
export async function rotateTenantKey(tx: Tx, scope: TenantScope): Promise<number> {
  const { tenantId } = scope;
  await secretLock(tx, tenantId);
  if ((await tenantKeyCount(tx, tenantId)) >= DATA_KEYS_MAX) throw errors.too_many_data_keys();
  const secrets = await resealSecrets(tx, scope, await addTenantKey(tx, tenantId));
  await record(tx, keyRotated, { tenantId, fields: { secrets } });
  return secrets;
}

async function resealSecrets(tx: Tx, { tenantId }: TenantScope, keyset: Keyset): Promise<number> {
  const rows = await secretListSealedByOthers(tx, tenantId, keyset[0].id);
  const resealed = rows.map(({ name, sealed }) => {
    const context = contextOf(tenantId, name);
    return { name, sealed: seal(keyset, opened(keyset, sealed, context), context) };
  });
  await secretReseal(tx, { tenantId, keyId: keyset[0].id, secrets: resealed });
  return rows.length;
}

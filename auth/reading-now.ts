// Who reads for long, as an export or a stream, is somebody now: asked before it begins, and now and then while it goes on. A person's
// session is live and may be in the organisation, where they hold the right; a key, or a machine's, is there and gives it.
import { cfg } from "../config";
import { withSystem, type Tx } from "../db/tenant";
import { commonErrors } from "../security/common-errors";
import type { Permission } from "../security/permissions";
import type { Principal } from "../security/principal";
import { heldNow } from "./authority";
import { refusalOf } from "./entrance";
import { errors } from "./errors";
import { scopeOfKey } from "./key-identity";
import { apiKeysFindActing } from "./store/api-keys";
import { sessionFindIn, sessionIsLive } from "./store/sessions";

const over = (): Error => errors.invalid_token({ internal: "who reads has been put out" });

async function refusalOfPerson(tx: Tx, principal: Principal, permission: Permission): Promise<Error | undefined> {
  const { tenantId, subjectId: accountId, sessionId: id = "" } = principal;
  if (id === "" || !(await sessionIsLive(tx, { id, accountId, idleSeconds: cfg.auth.idleSeconds }))) return over();
  const placed = await sessionFindIn(tx, { tenantId, accountId, id });
  if (placed === undefined || refusalOf(placed, placed) !== undefined) return over();
  return (await heldNow(tx, principal)).has(permission) ? undefined : commonErrors.permission_denied();
}

async function refusalOfKey(
  tx: Tx,
  { tenantId, kind, subjectId, keyId, keyDigest }: Principal,
  permission: Permission,
  sinceMs: number,
): Promise<Error | undefined> {
  const serviceId = kind === "service" ? subjectId : null;
  const shown = {
    tenantId,
    serviceId,
    sinceMs,
    digest: keyDigest === undefined ? null : Buffer.from(keyDigest, "base64url"),
  };
  const rows =
    serviceId === null
      ? await apiKeysFindActing(tx, { ...shown, id: subjectId })
      : // A gateway of the version before names no key: then any of the machine's that is there will do.
        await apiKeysFindActing(tx, keyId === undefined ? { ...shown, serviceId } : { ...shown, id: keyId });
  if (rows.length === 0) return over();
  return rows.some((row) => scopeOfKey(row).includes(permission)) ? undefined : commonErrors.permission_denied();
}

/** Why somebody who has read since then (milliseconds since 1970, of the database's clock) may not go on; undefined for who may. */
export function refusalToRead(
  principal: Principal,
  permission: Permission,
  sinceMs: number,
): Promise<Error | undefined> {
  return withSystem("long-read-of-the-caller", async (tx) => {
    switch (principal.kind) {
      case "user":
        return refusalOfPerson(tx, principal, permission);
      case "key":
      case "service":
        return refusalOfKey(tx, principal, permission, sinceMs);
      case "operator":
        return commonErrors.permission_denied({ internal: "staff look by withOperator alone" });
    }
  });
}

// The installation's own log: what its staff and its commands do that concerns no organisation, or all of them. The same
// chain as an organisation's, under an id that no organisation has.
import type { TenantScope, Tx } from "../db/tenant";
import { tenantIdFrom } from "../security/principal";
import type { AuditAction, FieldClass } from "./action";
import { record, type AuditFacts } from "./record";

/** Ids of organisations are of version 7, this one is of version 8 (RFC 9562 §5.8). */
export const platformLog: TenantScope = { tenantId: tenantIdFrom("00000000-0000-8000-8000-000000000001") };

/** As record, into the installation's log; in a system transaction. */
export function recordForPlatform<F extends Record<string, FieldClass>>(
  tx: Tx,
  action: AuditAction<F>,
  facts: Omit<AuditFacts<F>, "tenantId">,
): Promise<void> {
  return record(tx, action, { ...facts, ...platformLog });
}

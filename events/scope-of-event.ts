// Whose rows the handling of an event sees and writes: its tenant's; everybody's when it has none.
import { withSystem, withTenant, type Tx } from "../db/tenant";
import type { TenantId } from "../security/principal";

export function inScopeOf(tenantId: TenantId | null, fn: (tx: Tx) => Promise<void>): Promise<void> {
  return tenantId === null ? withSystem("consume", fn) : withTenant({ tenantId }, fn);
}

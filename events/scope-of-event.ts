// Whose rows the handling of an event sees and writes: its tenant's; everybody's when it has none.
import { withSystem, withTenant, type Tx } from "../db/tenant";
import type { TenantId } from "../security/principal";

export function inScopeOf<T>(tenantId: TenantId | null, fn: (tx: Tx) => Promise<T>): Promise<T> {
  return tenantId === null ? withSystem("consume", fn) : withTenant({ tenantId }, fn);
}

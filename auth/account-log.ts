// Where a change of an account stands: in the log of the organisation that its person chose, else in the installation's, so that
// whoever looks for what a thief did finds it there too. No entry tells an address: ids stay when the account is gone.
// Of the logs that one transaction writes to the installation's is the last, so that none waits for another in a circle.
import type { AuditAction, FieldClass } from "../audit/action";
import { platformLog } from "../audit/platform";
import { record, type AuditFacts } from "../audit/record";
import type { Tx } from "../db/tenant";
import { tenantIdFrom, type Caller } from "../security/principal";

export interface Whose {
  accountId: string;
  /** Null where no organisation is chosen, as behind a mailed link. */
  tenantId: string | null;
}

export const whose = ({ subjectId: accountId, tenantId }: Caller): Whose => ({ accountId, tenantId });

/** In a system transaction, behind what is recorded. */
export function recordOfAccount<F extends Record<string, FieldClass>>(
  tx: Tx,
  { accountId, tenantId }: Whose,
  action: AuditAction<F>,
  fields: AuditFacts<F>["fields"],
): Promise<void> {
  const log = tenantId === null ? platformLog.tenantId : tenantIdFrom(tenantId);
  return record(tx, action, { tenantId: log, target: { type: "account", id: accountId }, fields });
}

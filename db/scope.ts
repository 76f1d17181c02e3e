// Who a transaction acts for, and the settings that say so to Postgres. All of them are local to the
// transaction: a session setting would leak to the next user of the connection (and, on the embedded
// database, to every connection at once).
import type { TenantId } from "../security/principal";
import type { Statement } from "./pipeline";

export type Scope = { kind: "tenant"; tenantId: TenantId } | { kind: "system"; reason: string };

/** How row security is made to bind this process's connections; found once by the boot check. */
export interface Isolation {
  /** The role to become in each transaction, when the connection's own could bypass row security. */
  role: "groundwork_app" | null;
}

/**
 * The one statement that applies a scope. The role comes last: what is set before it is set by the
 * connection's own role. `statementTimeoutMs` bounds each statement after this one.
 */
export function scopeStatement(scope: Scope, isolation: Isolation, statementTimeoutMs: number): Statement {
  const role = isolation.role === null ? "" : `, set_config('role', '${isolation.role}', true)`;
  return {
    text: `select set_config('app.tenant_id', $1, true), set_config('app.system', $2, true), set_config('statement_timeout', $3, true)${role}`,
    values: [
      scope.kind === "tenant" ? scope.tenantId : "",
      scope.kind === "system" ? "on" : "",
      String(statementTimeoutMs),
    ],
  };
}

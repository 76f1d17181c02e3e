// Who a transaction acts for, and the settings that prove it to Postgres. All of them are local to the
// transaction: a session setting would leak to the next user of the connection (and, on the embedded
// database, to every connection at once).
import { cfg } from "../config";
import type { TenantId } from "../security/principal";
import type { SystemReason } from "../security/system-reasons";
import { systemToken, tenantToken } from "./capability";
import type { Statement } from "./pipeline";
import type { Tx } from "./tx";

export type Scope = { kind: "tenant"; tenantId: TenantId } | { kind: "system"; reason: SystemReason };

/** Null for what is none's. */
export const tenantOf = (scope: Scope): TenantId | null => (scope.kind === "system" ? null : scope.tenantId);

/** How row security is made to bind this process's connections; found once by the boot check. */
export interface Isolation {
  /** The role to become in each transaction, when the connection's own could bypass row security. */
  role: "groundwork_app" | null;
}

/**
 * The one statement that applies a scope. The role comes last: what is set before it is set by the
 * connection's own role. `statementTimeoutMs` bounds each statement after this one. A transaction whose body waits for
 * something else is ended by the server and gives back its locks and its place in the pool; a lock that is not to be had
 * is told as `lock_timeout`, before the statement's own time is over. Not as start-up parameters: poolers drop them.
 */
export function scopeStatement(scope: Scope, isolation: Isolation, statementTimeoutMs: number): Statement {
  const role = isolation.role === null ? "" : `, set_config('role', '${isolation.role}', true)`;
  // Our own numbers stand in the text: parameters cost more than they do.
  const limit = (name: string, ms: number): string => `set_config('${name}', '${Math.trunc(ms)}', true)`;
  return {
    text: `select set_config('app.capability', $1, true), ${limit("statement_timeout", statementTimeoutMs)}, ${limit("lock_timeout", cfg.db.lockTimeoutMs)}, ${limit("idle_in_transaction_session_timeout", cfg.db.idleInTransactionTimeoutMs)}${role}`,
    isBlind: true,
    values: [scope.kind === "system" ? systemToken() : tenantToken(scope.tenantId)],
  };
}

/** Makes a transaction of the system's one of this tenant's from its next statement on; the database knows the tenant already. */
export const narrowTo = (tx: Tx, tenantId: TenantId): void =>
  tx.executeLater("select set_config('app.capability', $1, true)", [tenantToken(tenantId)]);

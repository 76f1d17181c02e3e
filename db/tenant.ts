// The doors to the data. withTenant is the usual one; withSystem the only other of the app itself; people of the
// platform's staff come by withOperator (audit/operator.ts), which stands on these. All set the scope locally, so that
// forgetting a WHERE shows nothing instead of everything.
import type { TenantId } from "../security/principal";
import type { SystemReason } from "../security/system-reasons";
import { runStatement, runTransaction, type TransactionOptions, type Tx } from "./transaction";

export type { TransactionOptions, Tx } from "./transaction";

/** What a transaction needs to know of the caller. Every Principal is one. */
export interface TenantScope {
  readonly tenantId: TenantId;
}

/**
 * Runs `fn` in one transaction that sees and writes only this tenant's rows. Commits when `fn` resolves,
 * rolls back when it rejects. After a deadlock or serialization failure `fn` runs again from its start (at
 * most twice), so it must keep its effects in `tx`. Inside, only `tx` may be used: another connection
 * throws DbError `misuse`. A body that ends before one of its statements has an answer is rolled back.
 */
export function withTenant<T>(
  principal: TenantScope,
  fn: (tx: Tx) => Promise<T>,
  options?: TransactionOptions,
): Promise<T> {
  return runTransaction({ kind: "tenant", tenantId: principal.tenantId }, fn, options);
}

/**
 * Runs `fn` in one transaction that row security lets see every tenant. `reason` is one of the catalogue
 * (security/system-reasons.ts): each use is counted under it.
 * Upkeep gives `statementTimeoutMs`: what removes a day's rows may take longer than what a request waits for.
 */
export function withSystem<T>(
  reason: SystemReason,
  fn: (tx: Tx) => Promise<T>,
  options?: TransactionOptions,
): Promise<T> {
  return runTransaction({ kind: "system", reason }, fn, options);
}

/** One statement of a tenant in one round trip, atomic by itself: the price of row security is one message, not four. */
export function tenantQuery<R>(
  principal: TenantScope,
  text: string,
  params: readonly unknown[] = [],
  options?: TransactionOptions,
): Promise<R[]> {
  return runStatement<R>({ kind: "tenant", tenantId: principal.tenantId }, text, params, options);
}

/** One statement over all tenants in one round trip; `reason` as in withSystem. */
export function systemQuery<R>(
  reason: SystemReason,
  text: string,
  params: readonly unknown[] = [],
  options?: TransactionOptions,
): Promise<R[]> {
  return runStatement<R>({ kind: "system", reason }, text, params, options);
}

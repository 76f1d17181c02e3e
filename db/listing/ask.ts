// One statement of the caller's tenant: by itself, in one round trip, or inside a transaction.
import type { SystemReason } from "../../security/system-reasons";
import { systemQuery, tenantQuery, type TenantScope, type TransactionOptions, type Tx } from "../tenant";

/** `options` hold for a statement by itself; inside a transaction that one's do. */
export type Ask = <R>(text: string, params: readonly unknown[], options?: TransactionOptions) => Promise<R[]>;

export const askAlone =
  (scope: TenantScope): Ask =>
  (text, params, options) =>
    tenantQuery(scope, text, params, options);

/** Over all tenants: each statement of a list names the one that it is of. */
export const askAsSystem =
  (reason: SystemReason): Ask =>
  (text, params, options) =>
    systemQuery(reason, text, params, options);

export const askWithin =
  (tx: Tx): Ask =>
  (text, params) =>
    tx.query(text, params);

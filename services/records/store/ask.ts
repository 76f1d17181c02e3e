// One statement of the caller's tenant: by itself, in one round trip, or inside a transaction.
import { tenantQuery, type TenantScope, type Tx } from "../../../db/tenant";

export type Ask = <R>(text: string, params: readonly unknown[]) => Promise<R[]>;

export const askAlone =
  (scope: TenantScope): Ask =>
  (text, params) =>
    tenantQuery(scope, text, params);

export const askWithin =
  (tx: Tx): Ask =>
  (text, params) =>
    tx.query(text, params);

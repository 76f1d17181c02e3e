// What the database would do for the statements of a store: the store's own, with their parameters, under the scope and the role in
// which the app runs them, so that row security is in the plan. Nothing is changed by it.
import type { Tx } from "../tenant";

/** A transaction that explains each statement instead of running it; the plans, in the order of the statements. */
export function explaining(tx: Tx): { tx: Tx; plans: string[] } {
  const plans: string[] = [];
  const explain = async (text: string, params?: readonly unknown[]): Promise<void> => {
    const rows = await tx.query<{ "QUERY PLAN": string }>(`explain ${text}`, params);
    plans.push(rows.map((row) => row["QUERY PLAN"]).join("\n"));
  };
  const explained: Tx = {
    query: async (text, params) => {
      await explain(text, params);
      return [];
    },
    execute: async (text, params) => {
      await explain(text, params);
      return 0;
    },
    executeLater: (text, params) => tx.executeLater(text, params),
    afterCommit: (fn) => tx.afterCommit(fn),
    unsent: tx.unsent,
    tenantId: tx.tenantId,
    isAborted: tx.isAborted,
  };
  return { tx: explained, plans };
}

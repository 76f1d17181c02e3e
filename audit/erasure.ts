// What becomes of logs when whom they tell of is gone. Of a person: what the logs of all organisations tell of them is erased;
// entries stay, and the chain holds, which covers a digest of what is erased (chain.ts). Of an organisation: its log is kept as
// long as any (retention.ts), and then its head goes too.
import type { Tx } from "../db/tenant";
import { entryEraseAccount, entryEraseAddresses, headEnd } from "./store";

/** In a system transaction; resolves with how many entries told something. */
export async function erasePerson(tx: Tx, accountId: string, addresses: readonly string[]): Promise<number> {
  return (await entryEraseAddresses(tx, addresses)) + (await entryEraseAccount(tx, accountId));
}

/** In a system transaction, when the organisation is gone for good. */
export const endLog = (tx: Tx, tenantId: string): Promise<void> => headEnd(tx, tenantId);

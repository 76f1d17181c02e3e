// What becomes of logs when whom they tell of is gone. Of a person: what the logs of all organisations tell of them is erased;
// entries stay, and the chain holds, which covers a digest of what is erased (chain.ts). Of an organisation: its log is kept as
// long as any (retention.ts), and then its head goes too.
import type { Tx } from "../db/tenant";
import { entryEraseAccount, entryEraseAddresses, headEnd } from "./store";

/** Any number of entries may name an address: whoever invites it adds one. */
const ERASED_MAX = 5_000;

/** What entries tell that name one of these addresses, in a system transaction. False when there is more, to be erased by the next. */
export const eraseAddresses = async (tx: Tx, addresses: readonly string[]): Promise<boolean> =>
  (await entryEraseAddresses(tx, addresses, ERASED_MAX)) < ERASED_MAX;

/** What entries tell that are about an account, in a system transaction. */
export const eraseAccount = async (tx: Tx, accountId: string): Promise<void> =>
  void (await entryEraseAccount(tx, accountId));

/** In a system transaction, when the organisation is gone for good. */
export const endLog = (tx: Tx, tenantId: string): Promise<void> => headEnd(tx, tenantId);

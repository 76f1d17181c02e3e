// Erasing what the logs of all organisations tell of a person who is gone. Their entries stay, and the chain holds: it covers
// a digest of what is erased (chain.ts).
import type { Tx } from "../db/tenant";
import { entryErasePerson } from "./store";

/** In a system transaction; resolves with how many entries told something. */
export const erasePerson = (tx: Tx, accountId: string, addresses: readonly string[]): Promise<number> =>
  entryErasePerson(tx, accountId, addresses);

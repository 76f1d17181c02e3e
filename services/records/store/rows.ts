// One row of several, in the transaction of all of them.
import { plainSql } from "../../../db/plain-statement";
import type { Tx } from "../../../db/tenant";

const BEGIN_ROW = plainSql`savepoint one_row`;
const TAKE_BACK = plainSql`rollback to savepoint one_row`;
const END_ROW = plainSql`release savepoint one_row`;

/** What follows can be taken back. Travels with the row's own statement. */
export function rowBegin(tx: Tx): void {
  tx.executeLater(BEGIN_ROW);
}

/** It stays, with the transaction. */
export function rowEnd(tx: Tx): void {
  tx.executeLater(END_ROW);
}

/** As before rowBegin. */
export async function rowTakeBack(tx: Tx): Promise<void> {
  await tx.execute(TAKE_BACK);
  tx.executeLater(END_ROW);
}

// Breaks `sql-values` wherever something that comes in stands in a statement's text.
const COLUMNS = "id, title";
const titled = (parameter: string): string => `title = ${parameter}`;
interface Tx {
  query(text: string, params?: unknown[]): unknown;
}
declare const quoteIdentifier: (name: string) => string;

export function search(tx: Tx, title: string, order: string, isShort: boolean): unknown[] {
  const byTitle = tx.query(`select ${COLUMNS} from vectors.document where title = '${title}'`);
  const byFragment = tx.query(`select ${COLUMNS} from vectors.document where ${titled(title)}`);
  const ordered = tx.query(`select id from vectors.document order by ${isShort ? "id" : order}`);
  // However it begins.
  const shown = tx.query(`show ${order}`);
  const COUNTED = title.length;
  const joined =
    "select id from vectors.document where title = '" +
    title + "' limit " +
    String(COUNTED);
  return [byTitle, byFragment, ordered, shown, joined,
    `delete from vectors.document where title = ${COUNTED}`];
}

/** Correct: constants, fragments made of them, one of two of our own, a number, a quoted name, a parameter's place. */
export function find(tx: Tx, table: string, title: string, isShort: boolean, limit: number): unknown {
  const params: unknown[] = [];
  return tx.query(
    `select ${isShort ? "id" : COLUMNS} from ${quoteIdentifier(table)} where ${titled("$1")} and title <> $${params.push(title)}
      limit ${Math.round(limit)}`,
    params,
  );
}

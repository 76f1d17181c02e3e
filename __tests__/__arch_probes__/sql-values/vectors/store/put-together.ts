// Breaks `sql-values` however a statement is put together before it is handed over.
const BASE = "select id from vectors.document where title = ";
const byTitle = (title: string): string => BASE + title;
interface Tx {
  query(text: string | { text: string }, params?: unknown[]): unknown;
  execute(text: string): unknown;
}
declare const systemQuery: (reason: string, text: string) => unknown;

export function search(tx: Tx, title: string, filters: string[]): unknown[] {
  let grown = "select id from vectors.document";
  grown += ` where title = '${title}'`;
  const parts = ["select id from vectors.document"];
  parts.push(title);
  const kept = BASE.concat(title);
  const answers = [
    tx.query(BASE + title),
    tx.query(grown),
    tx.query(["select id from vectors.document where", ...filters].join(" ")),
    tx.query(parts.join(" where title = ")),
    tx.execute(kept),
    tx.execute("select id from vectors.document where title = ?".replace("?", title)),
    tx.query(byTitle(title)),
    tx.query({ text: title }),
    systemQuery("test", title),
  ];
  for (const filter of filters) answers.push(tx.query(filter));
  return answers;
}

/** Correct: put together of the program's own, whatever the way. */
export function find(tx: Tx, title: string, isShort: boolean): unknown[] {
  let text = BASE + "$1";
  if (isShort) text += " limit 1";
  const parts = ["select id from", "vectors.document"];
  parts.push("where title = $1");
  const answers = [tx.query(text, [title]), tx.query(parts.join(" "), [title]), tx.query(byTitle("$1"), [title])];
  for (const own of ["select 1", "select 2"]) answers.push(tx.query({ text: own.trim() }));
  return answers;
}

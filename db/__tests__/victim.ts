// A judge of attempts on another tenant that knows nothing of the code: every word of the victim's data holds a marker, and
// all rows that are the victim's are compared, to the letter, before and after.

/** Rows of each table, as JSON. */
export type Rows = ReadonlyMap<string, readonly string[]>;

export interface Victim {
  /** In all texts of the victim, and in nothing that an attacker sends. */
  marker: string;
  /** Of the tenant, its accounts and whatever has no tenant's column. */
  ids: readonly string[];
  attackers: readonly string[];
}

/**
 * For the owner of the tables; `$1` is no parameter because names are none. Without how long a tenant's runs take, which whoever ran them
 * writes up to a second later (queues/run-times.ts).
 */
export const rowsOfTable = (name: string): string => `select (to_jsonb(t) - 'run_ms')::text as row from ${name} t`;

/** What became different of the victim's, a line each; empty when nothing did. */
export function differences(before: Rows, after: Rows, victim: Victim): string[] {
  const found: string[] = [];
  for (const table of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before, after].map((rows) => counted(rowsOf(rows.get(table) ?? [], victim)));
    for (const [row, count] of was!)
      if ((is!.get(row) ?? 0) < count) found.push(`${table}: changed or gone: ${row.slice(0, 300)}`);
    for (const [row, count] of is!)
      if ((was!.get(row) ?? 0) < count) found.push(`${table}: written: ${row.slice(0, 300)}`);
  }
  return found;
}

/** The victim's: an attacker's own row may name whatever was asked for. */
function rowsOf(rows: readonly string[], { marker, ids, attackers }: Victim): string[] {
  return rows.filter((row) => {
    if (!row.includes(marker) && !ids.some((id) => row.includes(id))) return false;
    const owner = /"tenant_id": ?"([0-9a-f-]{36})"/.exec(row)?.[1];
    return owner === undefined || !attackers.includes(owner);
  });
}

function counted(rows: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const row of rows) counts.set(row, (counts.get(row) ?? 0) + 1);
  return counts;
}

/** Rows of the attackers that hold the victim's words: something read them there. */
export function leaks(rows: Rows, { marker, attackers }: Victim): string[] {
  return [...rows].flatMap(([table, found]) =>
    found
      .filter((row) => row.includes(marker) && attackers.some((id) => row.includes(id)))
      .map((row) => `${table}: read: ${row.slice(0, 300)}`),
  );
}

// Rows by aggregate, each aggregate's in the order in which they came.
export function byAggregate<Row extends { readonly aggregateKey: string }>(rows: readonly Row[]): Row[][] {
  const found = new Map<string, Row[]>();
  for (const row of rows) {
    const known = found.get(row.aggregateKey);
    if (known) known.push(row);
    else found.set(row.aggregateKey, [row]);
  }
  return [...found.values()];
}

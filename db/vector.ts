// pgvector values. A graph index (HNSW) filtered to a small tenant finds almost nothing by default (recall
// 0.08 at 1 % of the rows), so a search either compares a small tenant exactly or lets the scan go on until
// it has enough; that choice belongs to the statement that knows the tenant's size.
// Source: https://github.com/pgvector/pgvector#iterative-index-scans

/** pgvector's text form of a vector, to be bound as a parameter and cast `::vector`. Throws RangeError on NaN and infinities. */
export function toVector(values: ArrayLike<number>): string {
  let text = "[";
  for (let index = 0; index < values.length; index++) {
    const value = values[index] ?? Number.NaN;
    if (!Number.isFinite(value)) throw new RangeError(`element ${index} of the vector is not a finite number`);
    text += index === 0 ? value : `,${value}`;
  }
  return `${text}]`;
}

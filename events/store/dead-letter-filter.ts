// Which dead letters are meant: the same for a list, a redrive and a discard.

export interface DeadLetterFilter {
  ids?: readonly string[];
  /** Who gave up: the consumer, the job's name. */
  source?: string;
  /** Of the event. */
  type?: string;
  reason?: string;
  /** Given up at this moment or later. */
  from?: Date;
  /** Given up before this moment. */
  until?: Date;
}

const CONDITIONS: readonly [keyof DeadLetterFilter, (columns: Record<string, string>, place: string) => string][] = [
  ["ids", (_, place) => `id = any(${place}::uuid[])`],
  ["source", ({ source }, place) => `${source} = ${place}`],
  ["type", ({ type }, place) => `${type} = ${place}`],
  ["reason", (_, place) => `reason = ${place}`],
  ["from", (_, place) => `dead_at >= ${place}`],
  ["until", (_, place) => `dead_at < ${place}`],
];

/** SQL of the filter, true for the empty one; its values are added to `params`. `columns` are the table's, by property. */
export function filterConditions(filter: DeadLetterFilter, columns: Record<string, string>, params: unknown[]): string {
  const conditions = CONDITIONS.filter(([name]) => filter[name] !== undefined).map(([name, condition]) =>
    condition(columns, `$${params.push(filter[name])}`),
  );
  return ["true", ...conditions].join(" and ");
}

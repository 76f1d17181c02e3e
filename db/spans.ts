// SQL statements as spans and as a latency metric, under a name read off the statement ("select
// events.outbox"). The text has only placeholders, so it carries no data; values are never recorded.
import { dbQueryDurationSeconds } from "../telemetry/metrics";
import { sqlSpan } from "../telemetry/tracing";
import { nameStatement } from "./errors";

const MAX_NAMES = 2_000;
const names = new Map<string, string>();

/** Runs `fn` under the statement's span, as the tenant's flag says, and records how long it took; a DbError it fails with names the statement. */
export async function tracedSql<T>(text: string, tenantId: string | null, fn: () => Promise<T>): Promise<T> {
  const statement = statementName(text);
  const startedAt = performance.now();
  try {
    return await sqlSpan(statement, text, fn, tenantId ?? undefined);
  } catch (error) {
    throw nameStatement(error, statement);
  } finally {
    dbQueryDurationSeconds.record((performance.now() - startedAt) / 1000, { statement });
  }
}

/** Verb and first schema-qualified table: few enough values to label a metric with. */
export function statementName(text: string): string {
  const known = names.get(text);
  if (known !== undefined) return known;
  const verb = /\b(select|insert|update|delete|merge|call|set|with)\b/i.exec(text)?.[1]?.toLowerCase() ?? "statement";
  const table = /\b(?:from|into|update|join)\s+(?:only\s+)?([a-z_]+\.[a-z_]+)/i.exec(text)?.[1]?.toLowerCase();
  const name = table === undefined ? verb : `${verb} ${table}`;
  if (names.size < MAX_NAMES) names.set(text, name);
  return name;
}

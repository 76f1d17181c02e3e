// SQL statements as spans and as a latency metric. The statement's text has only placeholders, so it carries
// no data; its values are never recorded.
import { withSpan } from "../telemetry/tracing";

/** Runs `fn` under a client span named after the statement's verb. */
export function sqlSpan<T>(text: string, fn: () => Promise<T>): Promise<T> {
  const verb = verbOf(text);
  return Promise.resolve(withSpan(`sql ${verb}`, { kind: "client", attributes: { "db.system.name": "postgresql", "db.operation.name": verb, "db.query.text": text } }, fn));
}

function verbOf(text: string): string {
  return /[a-z]+/i.exec(text)?.[0].toLowerCase() ?? "statement";
}

// The infrastructure parity kit as data: its cases, the recorded answers, and what may differ between two runs
// of the same runtime (the rules of the kit's own record.mjs).
import { readFileSync } from "node:fs";
import { join } from "node:path";

export const kit = join(import.meta.dirname, "parity", "infra");

export interface Case {
  id: string;
  rule: string;
  request: { method: string; path: string; headers?: Record<string, string>; body?: unknown };
  /** Log lines belong to the answer; "sorted" when their order is not fixed. */
  logs?: boolean | "sorted";
}

export interface Answer {
  id: string;
  status: number;
  body: unknown;
  logs?: unknown[];
}

function lines<T>(file: string): T[] {
  return readFileSync(join(kit, file), "utf8")
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as T);
}

export const cases = lines<Case>("cases.jsonl");
export const recorded = new Map(lines<Answer>("answers.jsonl").map((answer) => [answer.id, answer]));

const dropped = new Set(["accept", "accept-encoding", "accept-language", "sec-fetch-mode", "connection"]); // of the client
const volatile = new Set([
  "traceId",
  "spanId",
  "parentTraceId",
  "parentSpanId",
  "trace_id",
  "span_id",
  "traceparent",
  "tracestate",
  "x-encore-auth",
  "x-encore-trace-id",
  "date",
  "duration",
  "time",
  "appId",
  "revision",
  "x-forwarded-for",
  "x_correlation_id",
]);

function normaliseText(text: string): string {
  return text
    .replace(/\n\nStack backtrace:[\s\S]*$/, "")
    .replace(/(127\.0\.0\.1|localhost|\[::1\])(:|%3A)\d+/g, "HOST:PORT")
    .replace(/line: Some\(\s*\d+,\s*\)/g, "line: Some(N)")
    .replace(/tuple \(\d+,\d+\)/g, "tuple (N,N)")
    .replace(/\brun_[0-9a-z]{20}\b/g, "run_ID")
    .replace(/(HOST:PORT|^)\/[0-9a-v]{20}\//g, "$1/NAMESPACE/")
    .replace(/^[0-9a-v]{20}$/, "MESSAGE_ID");
}

/** The wording of messages is not part of the contract, that there is one is. */
function isError(value: Record<string, unknown>): boolean {
  return value.$ === "error" || (typeof value.code === "string" && "message" in value) || value.level === "error";
}

const wordings = new Set(["message", "internal_message", "error"]);

/** The kit counts a handler that ends in the millisecond it began as none. */
function atLeastOne(overlap: object): Record<string, number> {
  return Object.fromEntries(
    Object.entries(overlap)
      .sort()
      .map(([name, most]) => [name, Math.max(Number(most), 1)]),
  );
}

/** `value` without what varies between runs; messages of errors become `*`. */
export function normalise(value: unknown, key = ""): unknown {
  if (typeof value === "string") return volatile.has(key) ? "*" : normaliseText(value);
  if (typeof value === "number") return volatile.has(key) ? 0 : value;
  if (Array.isArray(value)) return value.map((item) => normalise(item));
  if (typeof value !== "object" || value === null) return value;
  if (key === "overlap") return atLeastOne(value);
  const given = value as Record<string, unknown>;
  const free = isError(given);
  const keys = Object.keys(given)
    .sort()
    .filter((name) => !dropped.has(name) && !name.startsWith("user-"));
  return Object.fromEntries(
    keys.map((name) => [
      name,
      free && wordings.has(name) && typeof given[name] === "string" ? "*" : normalise(given[name], name),
    ]),
  );
}

/** Paths at which two values differ, `.body.out[2].name`. */
export function differences(expected: unknown, got: unknown, path = ""): string[] {
  if (Array.isArray(expected) && Array.isArray(got)) {
    if (expected.length !== got.length) return [path];
    return expected.flatMap((item, index) => differences(item, got[index], `${path}[${index}]`));
  }
  if (
    typeof expected === "object" &&
    expected !== null &&
    typeof got === "object" &&
    got !== null &&
    !Array.isArray(got) &&
    !Array.isArray(expected)
  ) {
    const [left, right] = [expected as Record<string, unknown>, got as Record<string, unknown>];
    return [...new Set([...Object.keys(left), ...Object.keys(right)])].flatMap((key) =>
      key in left && key in right ? differences(left[key], right[key], `${path}.${key}`) : [`${path}.${key}`],
    );
  }
  return Object.is(expected, got) ? [] : [path];
}

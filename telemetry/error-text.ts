// An error as text for a log line or a column of the database: "Name: message".

const LENGTH_MAX = 2_000;

/** At most 2,000 characters, without NUL, which Postgres stores in no text. Internal: never send it to a caller. */
export function errorText(error: unknown): string {
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return text.slice(0, LENGTH_MAX).replaceAll("\0", "\uFFFD");
}

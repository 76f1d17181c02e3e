// An error as text for a log line or a column of the database: "Name: message".

const LENGTH_MAX = 2_000;

/** At most 2,000 characters, without NUL, which Postgres stores in no text. Internal: never send it to a caller. */
export function errorText(error: unknown): string {
  return textOf(error).slice(0, LENGTH_MAX).replaceAll("\0", "\uFFFD");
}

/** Whatever was thrown: also what has no text, or whose text throws when it is asked for. */
function textOf(error: unknown): string {
  try {
    return error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  } catch {
    return "an object whose text cannot be read";
  }
}

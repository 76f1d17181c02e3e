// JSON as Postgres keeps it in jsonb: no NUL, and no half of a surrogate pair.

/**
 * The JSON text without NUL, with U+FFFD in place of lone halves; the same text when Postgres keeps it as it is. Whole escapes of the finished
 * JSON, names of members among them: a backslash that is text is an escape of its own. JSON.stringify writes \\ud… for lone halves alone.
 */
export const storableJson = (json: string): string =>
  json.replace(/\\(?:u[0-9a-f]{4}|.)/g, (escape) =>
    escape === "\\u0000" ? "" : escape.startsWith("\\ud") ? "\ufffd" : escape,
  );

// Validation of what no endpoint interface can say (and of what does not come through an endpoint): zod
// schemas whose complaints become an `invalid_request` that names fields, never values.
import type { z } from "zod";

import { commonErrors } from "./common-errors";
import { withoutControlCharacters } from "./control-characters";

const maxFields = 20;

/**
 * Parses `value` with `schema`.
 * @throws APIError invalid_argument with `details.fields`: path → what is wrong.
 */
export function parseInput<T>(schema: z.ZodType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw commonErrors.invalid_request({ fields: fieldsOf(parsed.error) });
}

/** The issues of a ZodError by field path; the first one of each field. */
export function fieldsOf(error: z.ZodError): Record<string, string> {
  const fields: Record<string, string> = {};
  for (const issue of error.issues.slice(0, maxFields)) {
    const path = issue.path.map(String).join(".") || "(body)";
    if (!Object.hasOwn(fields, path)) fields[path] = sanitise(issue.message);
  }
  return fields;
}

/** Messages may quote input: no control characters, bounded. */
function sanitise(message: string): string {
  return withoutControlCharacters(message).slice(0, 200);
}

// The outcome of a parse as the parity kit wants it: facts, or one line per error as Encore's own parser prints it.
import { parseApp, type ParseOptions } from ".";
import { officialLine } from "./errors";
import { factsOf } from "./facts";

export type CheckResult = { ok: true; model: ReturnType<typeof factsOf> } | { ok: false; errors: string[] };

export function checkJson(root: string, options: ParseOptions = {}): CheckResult {
  const result = parseApp(root, options);
  if (result.ok) return { ok: true, model: factsOf(result.model) };
  return { ok: false, errors: result.errors.map(officialLine) };
}

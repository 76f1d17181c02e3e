// `groundwork check`: every error of the app at once; exit code 1 when there is one.
import { readParseCache } from "../parse/cache";
import type { ParseOptions, ParseResult } from "../parse";
import { findAppRoot } from "./app-root";
import { say, sayParseErrors } from "./console";
import { parseOptions, type CommandInput } from "./command-input";

/** The outcome is kept and encore.gen/ written, as `encore check` does (G-1). The parser is loaded only when something changed. */
async function parsed(root: string, options: ParseOptions): Promise<ParseResult> {
  const model = readParseCache(root, options);
  if (model) return { ok: true, model };
  return (await import("../parse/refresh")).refresh(root, options);
}

export async function check({ flags }: CommandInput): Promise<void> {
  const root = findAppRoot(flags.app);
  const options = parseOptions(flags);
  if (flags.json) {
    const { checkJson } = await import("../parse/check");
    say(JSON.stringify(checkJson(root, options)));
    return;
  }
  const result = await parsed(root, options);
  if (!result.ok) {
    sayParseErrors(result.errors);
    process.exitCode = 1;
    return;
  }
  const endpoints = result.model.services.reduce((sum, service) => sum + service.endpoints.length, 0);
  say(`no errors: ${result.model.services.length} services, ${endpoints} endpoints`);
}

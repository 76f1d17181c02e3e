// `groundwork check`: every error of the app at once; exit code 1 when there is one.
import type { ParseResult } from "../parse";
import { findAppRoot } from "./app-root";
import { say, sayParseErrors } from "./console";
import type { CommandInput } from "./command-input";

/** Without --extended the outcome is kept and encore.gen/ written, as `encore check` does (G-1). */
async function parsed(root: string, extended: boolean): Promise<ParseResult> {
  if (extended) return (await import("../parse")).parseApp(root, { extended });
  return (await import("../parse/refresh")).parseAppCached(root);
}

export async function check({ flags }: CommandInput): Promise<void> {
  const root = findAppRoot(flags.app);
  if (flags.json) {
    const { checkJson } = await import("../parse/check");
    say(JSON.stringify(checkJson(root, { extended: flags.extended ?? false })));
    return;
  }
  const result = await parsed(root, flags.extended ?? false);
  if (!result.ok) {
    sayParseErrors(result.errors);
    process.exitCode = 1;
    return;
  }
  const endpoints = result.model.services.reduce((sum, service) => sum + service.endpoints.length, 0);
  say(`no errors: ${result.model.services.length} services, ${endpoints} endpoints`);
}

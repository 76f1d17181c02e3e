// `groundwork check`: every error of the app at once; exit code 1 when there is one.
import { findAppRoot } from "./app-root";
import { say, sayParseErrors } from "./console";
import type { CommandInput } from "./command-input";

export async function check({ flags }: CommandInput): Promise<void> {
  const root = findAppRoot(flags.app);
  if (flags.json) {
    const { checkJson } = await import("../parse/check");
    say(JSON.stringify(checkJson(root, { extended: flags.extended ?? false })));
    return;
  }
  const { parseApp } = await import("../parse");
  const result = parseApp(root, { extended: flags.extended ?? false });
  if (!result.ok) {
    sayParseErrors(result.errors);
    process.exitCode = 1;
    return;
  }
  const endpoints = result.model.services.reduce((sum, service) => sum + service.endpoints.length, 0);
  say(`no errors: ${result.model.services.length} services, ${endpoints} endpoints`);
}

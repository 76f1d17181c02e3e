// The program of a built app (`node host/start.js`, in its image the command): `groundwork start` without what only
// building needs, so that a server carries no compiler and no bundler. `node host/start.js backup FILE`, `restore FILE` and `migrate`
// do that instead of starting it.
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { UsageError } from "./commands/app-root";
import { sayError } from "./commands/console";
import { operate } from "./commands/operate";
import { start } from "./commands/start";
import { InfraError } from "./infra";
import { completeFromSources } from "./secrets/sources";

const builtFolder = dirname(dirname(fileURLToPath(import.meta.url)));

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    options: { port: { type: "string" }, overwrite: { type: "boolean" }, json: { type: "boolean" } },
    allowPositionals: true,
  });
  const [name, ...words] = positionals;
  await completeFromSources(process.env);
  if (name !== undefined) return operate(builtFolder, name, { flags: values, words, rest: [], env: process.env });
  await start({ dir: builtFolder, ...(values.port === undefined ? {} : { port: values.port }) }, process.env);
}

main().catch((error: unknown) => {
  if (error instanceof UsageError || error instanceof InfraError) sayError(error.message);
  else process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  process.exit(1);
});

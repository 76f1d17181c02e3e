#!/usr/bin/env node
// `groundwork …`: reads the command line and hands over to commands/; errors of people (usage, their app, their
// environment) are one message with a remedy, errors of ours keep their stack.
import { parseArgs } from "node:util";
import { UsageError } from "./commands/app-root";
import { BundleError } from "./commands/bundle-app";
import { sayError, sayParseErrors } from "./commands/console";
import { commands, usage } from "./commands";
import { ParseFailure } from "./commands/parse-app";
import { InfraError } from "./infra";

const options = {
  app: { type: "string" },
  dir: { type: "string" },
  port: { type: "string" },
  watch: { type: "boolean" },
  "no-watch": { type: "boolean" },
  "after-start": { type: "string" },
  json: { type: "boolean" },
  extended: { type: "boolean" },
  lang: { type: "string" },
  output: { type: "string" },
  since: { type: "string" },
  command: { type: "string", short: "c" },
  database: { type: "string" },
  write: { type: "boolean" },
  beside: { type: "boolean" },
  overwrite: { type: "boolean" },
  help: { type: "boolean" },
} as const;

async function main(args: string[]): Promise<void> {
  const dashes = args.indexOf("--");
  const [own, rest] = dashes < 0 ? [args, []] : [args.slice(0, dashes), args.slice(dashes + 1)];
  const { values, positionals } = parseArgs({ args: own, options, allowPositionals: true });
  const [name, ...words] = positionals;
  const command = name === undefined ? undefined : commands[name];
  if (!command || values.help) {
    process.stdout.write(usage);
    if (!values.help) process.exitCode = 2;
    return;
  }
  await command({ flags: values, words, rest, env: process.env });
}

function report(error: unknown): void {
  if (error instanceof ParseFailure) sayParseErrors(error.errors);
  else if (error instanceof UsageError || error instanceof BundleError || error instanceof InfraError)
    sayError(error.message);
  else if ((error as { code?: string }).code?.startsWith("ERR_PARSE_ARGS"))
    sayError((error as Error).message, "`groundwork --help` lists the commands and their options.");
  else process.stderr.write(`${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
}

main(process.argv.slice(2)).catch((error: unknown) => {
  report(error);
  process.exit(1);
});

// `groundwork gen client --lang openapi`: documents made from the app's endpoints.
import { writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { existsSync, readFileSync } from "node:fs";
import { openapi } from "../generate/openapi";
import { findAppRoot, UsageError } from "./app-root";
import { say } from "./console";
import type { CommandInput } from "./command-input";
import { parseForCommand } from "./parse-app";

function packageInfo(root: string): { title: string; version: string } {
  const file = join(root, "package.json");
  const parsed = existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as { name?: string; version?: string }) : {};
  return { title: parsed.name ?? "app", version: parsed.version ?? "0.0.0" };
}

export async function gen({ flags, words }: CommandInput): Promise<void> {
  if (words[0] !== "client") throw new UsageError("say what to generate: `groundwork gen client --lang openapi`");
  if (flags.lang !== "openapi") throw new UsageError(`--lang ${flags.lang ?? ""} is not known: this version generates openapi`);
  const root = findAppRoot(flags.app);
  const { model } = await parseForCommand(root);
  const text = `${JSON.stringify(openapi(model, packageInfo(root)), null, 2)}\n`;
  if (flags.output) writeFileSync(resolve(flags.output), text);
  else say(text);
}

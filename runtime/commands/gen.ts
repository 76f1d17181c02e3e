// `groundwork gen client`: a client for the app's endpoints, or their OpenAPI description.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { openapi } from "../generate/openapi";
import { typescriptClient } from "../generate/typescript-client";
import type { AppModel } from "../model";
import { findAppRoot, UsageError } from "./app-root";
import { say } from "./console";
import type { CommandInput } from "./command-input";
import { parseForCommand } from "./parse-app";

function packageInfo(root: string): { title: string; version: string } {
  const file = join(root, "package.json");
  const parsed = existsSync(file)
    ? (JSON.parse(readFileSync(file, "utf8")) as { name?: string; version?: string })
    : {};
  return { title: parsed.name ?? "app", version: parsed.version ?? "0.0.0" };
}

type Generator = (model: AppModel, info: { title: string; version: string }) => string;

const languages: Record<string, Generator> = {
  openapi: (model, info) => `${JSON.stringify(openapi(model, info), null, 2)}\n`,
  typescript: (model, { title }) => typescriptClient(model, title),
};

export async function gen({ flags, words }: CommandInput): Promise<void> {
  if (words[0] !== "client") throw new UsageError("say what to generate: `groundwork gen client --lang typescript`");
  const generate = languages[flags.lang ?? ""];
  if (!generate)
    throw new UsageError(`--lang ${flags.lang ?? ""} is not known: give one of ${Object.keys(languages).join(", ")}`);
  const root = findAppRoot(flags.app);
  const { model } = await parseForCommand(root);
  const text = generate(model, packageInfo(root));
  if (flags.output) writeFileSync(resolve(flags.output), text);
  else say(text);
}

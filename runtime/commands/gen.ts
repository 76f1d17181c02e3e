// `groundwork gen client`: a client for the app's endpoints, or their OpenAPI description.
import { renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { basename, dirname, relative, resolve } from "node:path";
import { openapi, type DocumentInfo } from "../generate/openapi";
import { writeGeneratedFile } from "../generate/write";
import { typescriptClient } from "../generate/typescript-client";
import type { AppModel } from "../model";
import { findAppRoot, UsageError } from "./app-root";
import { readPackage } from "./dependencies";
import { say } from "./console";
import type { CommandInput } from "./command-input";
import { ParseFailure, parseForCommand } from "./parse-app";

/** With `package.json#groundwork.openapiHeaders` and `.openapiErrors`: what the app's middlewares read, and write. */
function packageInfo(root: string): DocumentInfo {
  const { name, version, groundwork } = readPackage(root);
  const { openapiHeaders: headers = [], openapiErrors: errors = [] } = groundwork ?? {};
  return { title: name ?? "app", version: version ?? "0.0.0", headers, errors };
}

type Generator = (model: AppModel, info: DocumentInfo) => string;

const languages: Record<string, Generator> = {
  openapi: (model, info) => `${JSON.stringify(openapi(model, info), null, 2)}\n`,
  typescript: (model, { title }) => typescriptClient(model, title),
};

/** What stands in a broken client's place while the app is parsed that imports it: a module, of which names are asked in vain. */
const PLACEHOLDER = "export {};\n";

/** An earlier client that stands inside the app is part of what is parsed: a broken one is set aside for that long. */
async function parseBeside(root: string, output: string | undefined): Promise<AppModel> {
  const aside = output === undefined ? "" : `${output}.aside`;
  try {
    return (await parseForCommand(root)).model;
  } catch (error) {
    const isItsFault =
      output !== undefined &&
      error instanceof ParseFailure &&
      error.errors.some(({ place }) => place?.file === relative(root, output));
    if (!isItsFault) throw error;
    renameSync(output, aside);
    writeFileSync(output, PLACEHOLDER);
    try {
      return (await parseForCommand(root)).model;
    } catch (still) {
      renameSync(aside, output);
      throw still;
    } finally {
      rmSync(aside, { force: true });
    }
  }
}

export async function gen({ flags, words }: CommandInput): Promise<void> {
  if (words[0] !== "client") throw new UsageError("say what to generate: `groundwork gen client --lang typescript`");
  const generate = languages[flags.lang ?? ""];
  if (!generate)
    throw new UsageError(`--lang ${flags.lang ?? ""} is not known: give one of ${Object.keys(languages).join(", ")}`);
  const root = findAppRoot(flags.app);
  const output = flags.output === undefined ? undefined : resolve(flags.output);
  if (output !== undefined && statSync(output, { throwIfNoEntry: false })?.isDirectory())
    throw new UsageError(`${flags.output} is a folder: name a file in it, such as --output ${flags.output}/client.ts`);
  const model = await parseBeside(root, output);
  const text = generate(model, packageInfo(root));
  if (output !== undefined) writeGeneratedFile(dirname(output), basename(output), text);
  else say(text);
}

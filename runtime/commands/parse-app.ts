// The model of an app for a command: from the cache when nothing changed, else parsed in a child process,
// so that the compiler's memory is not kept by a process that goes on to serve requests.
import { fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { modelFile, readParseCache } from "../parse/cache";
import type { ParseError } from "../parse/errors";
import type { AppModel } from "../model";
import { hostFile } from "../host-files";

export interface ParsedApp {
  model: AppModel;
  /** Absolute; what HostConfig.modelFile names. */
  modelFile: string;
}

export class ParseFailure extends Error {
  override name = "ParseFailure";

  constructor(readonly errors: ParseError[]) {
    super(`the app has ${errors.length} error${errors.length === 1 ? "" : "s"}`);
  }
}

/** What parse/child.ts answers over IPC. */
export type ParseAnswer = { ok: true } | { ok: false; errors: ParseError[] };

function parseInChild(root: string): Promise<ParseAnswer> {
  return new Promise((resolve, reject) => {
    const child = fork(hostFile("parse.js"), [root], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
    child.once("message", (answer) => resolve(answer as ParseAnswer));
    child.once("error", reject);
    child.once("exit", (code) => reject(new Error(`the parser ended with code ${code ?? "unknown"} before it answered`)));
  });
}

/**
 * Parses the app in `root` and writes encore.gen/.
 * @throws ParseFailure with every error of the app
 */
export async function parseForCommand(root: string): Promise<ParsedApp> {
  const cached = readParseCache(root);
  if (cached) return { model: cached, modelFile: modelFile(root) };
  const answer = await parseInChild(root);
  if (!answer.ok) throw new ParseFailure(answer.errors);
  return { model: JSON.parse(readFileSync(modelFile(root), "utf8")) as AppModel, modelFile: modelFile(root) };
}

// The model of an app for a command: from the cache when nothing changed, else parsed in a child process,
// so that the compiler's memory is not kept by a process that goes on to serve requests.
import { type ChildProcess, fork } from "node:child_process";
import { readFileSync } from "node:fs";
import { modelFile, readParseCache } from "../parse/cache";
import type { ParseOptions } from "../parse/options";
import type { ParseQuestion } from "../parse/child";
import type { ParseError } from "../parse/errors";
import type { AppModel } from "../model";
import { hostFile } from "../host-files";
import { checkSdkVersion } from "./sdk-version";

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

/** A process that parses; kept open, it parses what changed in a tenth of the time. One question at a time. */
export class Parser {
  #child: ChildProcess | undefined;

  constructor(
    private readonly root: string,
    private readonly options: ParseOptions = {},
  ) {}

  /**
   * Parses the app and writes encore.gen/, unless nothing changed since the last time.
   * @throws ParseFailure with every error of the app, UsageError where its SDK is too old
   */
  async parse(): Promise<ParsedApp> {
    checkSdkVersion(this.root);
    const cached = readParseCache(this.root, this.options);
    if (cached) return { model: cached, modelFile: modelFile(this.root) };
    const answer = await this.#ask();
    if (!answer.ok) throw new ParseFailure(answer.errors);
    return {
      model: JSON.parse(readFileSync(modelFile(this.root), "utf8")) as AppModel,
      modelFile: modelFile(this.root),
    };
  }

  /** Gets the process ready for the next change. */
  warmUp(): void {
    this.#open().send({ root: this.root, ...this.options, warmUp: true } satisfies ParseQuestion);
  }

  close(): void {
    this.#child?.disconnect();
    this.#child = undefined;
  }

  #open(): ChildProcess {
    if (this.#child?.connected) return this.#child;
    return (this.#child = fork(hostFile("parse.js"), [], { stdio: ["ignore", "inherit", "inherit", "ipc"] }));
  }

  #ask(): Promise<ParseAnswer> {
    const child = this.#open();
    return new Promise((resolve, reject) => {
      const ended = (code: number | null): void =>
        reject(new Error(`the parser ended with code ${code ?? "unknown"} before it answered`));
      child.once("error", reject);
      child.once("exit", ended);
      child.once("message", (answer) => {
        child.off("exit", ended);
        child.off("error", reject);
        resolve(answer as ParseAnswer);
      });
      child.send({ root: this.root, ...this.options } satisfies ParseQuestion);
    });
  }
}

/**
 * Parses the app in `root` once.
 * @throws ParseFailure with every error of the app
 */
export async function parseForCommand(root: string, options: ParseOptions = {}): Promise<ParsedApp> {
  const parser = new Parser(root, options);
  try {
    return await parser.parse();
  } finally {
    parser.close();
  }
}

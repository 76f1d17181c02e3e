// Path aliases: `compilerOptions.baseUrl` and `paths` of the tsconfig.json in the app root, which is all that Encore reads
// of it (L-5; `extends` is not followed). Comments are allowed, trailing commas are not.
import { extname, resolve } from "node:path";
import { Refusal, type Spot } from "../errors";
import { loadTypeScript, ts } from "../typescript";
import type { Files } from "./files";

interface Pattern {
  prefix: string;
  /** undefined for an exact text. */
  suffix: string | undefined;
}

interface Alias {
  key: Pattern;
  targets: Pattern[];
}

export interface PathAliases {
  /** The folder that targets are relative to. */
  base: string;
  /** The import that stands for an alias, whose file exists; undefined when no alias matches. */
  target(specifier: string): string | undefined;
}

const PLAIN = [".ts", ".tsx", ".d.ts", ".js", ".jsx", ".mts", ".d.mts", ".mjs", ".cts", ".d.cts", ".cjs", ""];
/** Added to a target that has such an ending already. */
const ADDED: Record<string, readonly string[]> = {
  ".js": [".ts", ".tsx", ".d.ts", ".js", ".jsx"],
  ".mjs": [".mts", ".d.mts", ".mjs"],
  ".cjs": [".cts", ".d.cts", ".cjs"],
};

function toPattern(text: string): Pattern {
  const star = text.indexOf("*");
  return star < 0 ? { prefix: text, suffix: undefined } : { prefix: text.slice(0, star), suffix: text.slice(star + 1) };
}

/** What the `*` stands for; "" for an exact match. */
function match({ prefix, suffix }: Pattern, specifier: string): string | undefined {
  if (suffix === undefined) return specifier === prefix ? "" : undefined;
  const long = specifier.length >= prefix.length + suffix.length;
  if (!long || !specifier.startsWith(prefix) || !specifier.endsWith(suffix)) return undefined;
  return specifier.slice(prefix.length, specifier.length - suffix.length);
}

/** An exact alias has exact targets only. */
function filled({ prefix, suffix }: Pattern, key: Pattern, star: string): string | undefined {
  if (suffix === undefined) return prefix;
  return key.suffix === undefined ? undefined : prefix + star + suffix;
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
const isTextList = (value: unknown): value is string[] =>
  Array.isArray(value) && value.every((item) => typeof item === "string");

interface Options {
  baseUrl: string;
  paths: Record<string, string[]>;
}

function optionsOf(config: unknown, wrong: (problem: string, at?: number) => Refusal): Options {
  if (!isObject(config)) throw wrong("it has to be an object");
  const options = config.compilerOptions ?? {};
  if (!isObject(options) || config.compilerOptions === null) throw wrong("compilerOptions has to be an object");
  const { baseUrl = ".", paths = {} } = options;
  if (baseUrl !== null && typeof baseUrl !== "string") throw wrong("baseUrl has to be a text");
  if (!isObject(paths) || !Object.values(paths).every(isTextList))
    throw wrong("paths has to map patterns to lists of texts");
  return { baseUrl: baseUrl ?? ".", paths: paths as Record<string, string[]> };
}

/** Comments blanked out, so that places stay. */
function withoutComments(text: string): string {
  const scanner = ts.createScanner(ts.ScriptTarget.ESNext, false, ts.LanguageVariant.Standard, text);
  let plain = "";
  for (let kind = scanner.scan(); kind !== ts.SyntaxKind.EndOfFileToken; kind = scanner.scan()) {
    const isComment = kind === ts.SyntaxKind.SingleLineCommentTrivia || kind === ts.SyntaxKind.MultiLineCommentTrivia;
    plain += isComment ? scanner.getTokenText().replace(/[^\n]/g, " ") : scanner.getTokenText();
  }
  return plain;
}

/** Most files have no comments, and are read without the compiler. */
function parseJson(text: string, wrong: (problem: string, at?: number) => Refusal): unknown {
  try {
    return JSON.parse(text);
  } catch {
    loadTypeScript();
  }
  try {
    return JSON.parse(withoutComments(text));
  } catch (error) {
    const problem = error instanceof Error ? error.message : String(error);
    throw wrong(problem, Number(/position (\d+)/.exec(problem)?.[1] ?? 0));
  }
}

/** @throws Refusal when tsconfig.json cannot be read as JSON with comments */
export function readPathAliases(files: Files, root: string): PathAliases {
  const path = resolve(root, "tsconfig.json");
  const text = files.read(path);
  if (text === null) return { base: root, target: () => undefined };
  const wrong = (problem: string, offset = 0): Refusal => {
    const spot: Spot = { path, text, offset };
    return new Refusal("parsing tsconfig.json failed", spot, {
      remedy: `${problem}. Encore reads it as JSON with comments, without trailing commas.`,
    });
  };
  const { baseUrl, paths } = optionsOf(parseJson(text, wrong), wrong);
  const base = resolve(root, baseUrl);
  const aliases = Object.entries(paths).map(([key, targets]): Alias => ({
    key: toPattern(key),
    targets: targets.map(toPattern),
  }));
  aliases.sort((a, b) => b.key.prefix.length - a.key.prefix.length);
  const exists = (target: string): boolean => {
    const at = resolve(base, target);
    return (ADDED[extname(at)] ?? PLAIN).some((ending) => files.kind(at + ending) !== "none");
  };
  return {
    base,
    target: (specifier) => {
      for (const { key, targets } of aliases) {
        const star = match(key, specifier);
        if (star === undefined) continue;
        const found = targets
          .map((target) => filled(target, key, star))
          .find((target) => target !== undefined && exists(target));
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

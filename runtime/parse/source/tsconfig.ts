// Path aliases: `compilerOptions.baseUrl` and `paths` of the tsconfig.json in the app root, which is all that
// Encore reads of it (L-5; `extends` is not followed).
import { join } from "node:path";
import { Refusal } from "../errors";
import { ts } from "../typescript";
import type { Files } from "./files";

interface Alias {
  prefix: string;
  /** undefined for an exact alias. */
  suffix: string | undefined;
  targets: string[];
}

export interface PathAliases {
  /** Candidate paths, without regard to extensions, for an import; empty when no alias matches. */
  candidates(specifier: string): string[];
}

interface TsConfig {
  compilerOptions?: { baseUrl?: string; paths?: Record<string, string[]> };
}

function toAlias([key, targets]: [string, string[]]): Alias {
  const star = key.indexOf("*");
  return star < 0 ? { prefix: key, suffix: undefined, targets } : { prefix: key.slice(0, star), suffix: key.slice(star + 1), targets };
}

function match(alias: Alias, specifier: string): string | undefined {
  if (alias.suffix === undefined) return specifier === alias.prefix ? "" : undefined;
  const long = specifier.length >= alias.prefix.length + alias.suffix.length;
  if (!long || !specifier.startsWith(alias.prefix) || !specifier.endsWith(alias.suffix)) return undefined;
  return specifier.slice(alias.prefix.length, specifier.length - alias.suffix.length);
}

/** @throws Refusal when tsconfig.json cannot be read as JSON with comments */
export function readPathAliases(files: Files, root: string): PathAliases {
  const path = join(root, "tsconfig.json");
  const text = files.read(path);
  if (text === null) return { candidates: () => [] };
  const { config, error } = ts.parseConfigFileTextToJson(path, text) as { config?: TsConfig; error?: { messageText: unknown; start?: number } };
  if (error) throw new Refusal(`parsing ${path} failed: ${String(error.messageText)}`, { path, text, offset: error.start ?? 0 });
  const base = join(root, config?.compilerOptions?.baseUrl ?? ".");
  const aliases = Object.entries(config?.compilerOptions?.paths ?? {}).map(toAlias);
  aliases.sort((a, b) => b.prefix.length - a.prefix.length);
  return {
    candidates: (specifier) =>
      aliases.flatMap((alias) => {
        const rest = match(alias, specifier);
        return rest === undefined ? [] : alias.targets.map((target) => join(base, target.replace("*", rest)));
      }),
  };
}

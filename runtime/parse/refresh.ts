// A cold parse with everything that belongs to it: encore.gen/ written, the outcome kept for the next start.
import { generatedFiles, writeGenerated } from "../generate";
import type { AppModel } from "../model";
import { parseAppTracked, type ParseOptions, type ParseResult } from ".";
import { readParseCache, writeParseCache } from "./cache";

/** Parses the app in `root` and, when it has no errors, writes encore.gen/ and the cache. */
export function refresh(root: string, options: ParseOptions = {}): ParseResult {
  const { dependencies, ...result } = parseAppTracked(root, options);
  if (!result.ok) return result;
  writeGenerated(result.model, root);
  const generated = generatedFiles(result.model).map(({ path, contents }) => ({
    path: `encore.gen/${path}`,
    contents,
  }));
  writeParseCache(root, { model: result.model, dependencies, generated }, options);
  return result;
}

/** The app's model: from the cache when nothing changed, else by a cold parse. */
export function parseAppCached(root: string, options: ParseOptions = {}): ParseResult {
  const model: AppModel | undefined = readParseCache(root, options);
  return model ? { ok: true, model } : refresh(root, options);
}

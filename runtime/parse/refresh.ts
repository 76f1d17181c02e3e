// A cold parse with everything that belongs to it: encore.gen/ written, the outcome kept for the next start.
import { generatedFiles, writeGenerated } from "../generate";
import type { AppModel } from "../model";
import { parseAppTracked, type ParseResult } from ".";
import { readParseCache, writeParseCache } from "./cache";

/** Parses the app in `root` and, when it has no errors, writes encore.gen/ and the cache. */
export function refresh(root: string): ParseResult {
  const { dependencies, ...result } = parseAppTracked(root);
  if (!result.ok) return result;
  writeGenerated(result.model, root);
  const generated = generatedFiles(result.model).map(({ path, contents }) => ({ path: `encore.gen/${path}`, contents }));
  writeParseCache(root, result.model, dependencies, generated);
  return result;
}

/** The app's model: from the cache when nothing changed, else by a cold parse. */
export function parseAppCached(root: string): ParseResult {
  const model: AppModel | undefined = readParseCache(root);
  return model ? { ok: true, model } : refresh(root);
}

// The process that parses for a command: an app root is the question, the outcome the answer; the model itself goes
// through the cache. It lives for as long as the command keeps it, and what it has read once it need not read again.
import { parseAppTracked, type ParseOptions } from ".";
import { parseAppCached } from "./refresh";

export interface ParseQuestion extends ParseOptions {
  root: string;
  /** Parse although nothing changed and say nothing of the outcome: the next parse finds code and trees ready. */
  warmUp?: boolean;
}

if (!process.send) throw new Error("parse/child.ts is started by a command");

process.on("message", ({ root, warmUp, ...options }: ParseQuestion) => {
  if (warmUp) {
    parseAppTracked(root, options);
    return;
  }
  const result = parseAppCached(root, options);
  process.send?.(result.ok ? { ok: true } : { ok: false, errors: result.errors });
});

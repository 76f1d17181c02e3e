// TypeScript's compiler, loaded at the first cold parse and not before: a start from the cache must not pay
// for nine megabytes of compiler. Modules use the live binding `ts` inside functions only.
import { createRequire } from "node:module";
import type * as TypeScript from "typescript";

export type { TypeScript };

export let ts: typeof TypeScript;

/** Makes `ts` usable; cheap after the first call. */
export function loadTypeScript(): void {
  if (ts === undefined) ts = createRequire(import.meta.url)("typescript") as typeof TypeScript;
}

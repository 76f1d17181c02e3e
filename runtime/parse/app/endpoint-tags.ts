// The tags that an app's endpoints may carry, where the app says so: `package.json#groundwork.endpointTags` names a JSON
// file with all of them, `public:*` standing for every tag that begins so. To Encore any text is a tag; to an app whose
// permissions are tags, a misspelled one is an endpoint that nobody may call, which is to be seen before it is deployed.
import { join } from "node:path";
import { Refusal } from "../errors";
import type { Files } from "../source/files";

interface Settings {
  groundwork?: { endpointTags?: unknown };
}

function parsed<T>(files: Files, path: string): T | undefined {
  try {
    return JSON.parse(files.read(path) ?? "null") as T;
  } catch {
    return undefined;
  }
}

/** Edit distance, as far as it matters: how many letters to insert, delete or replace. */
function distance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++)
      next[j] = Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1));
    row = next;
  }
  return row[b.length]!;
}

const LIKE = 3;

export class KnownTags {
  private constructor(
    private readonly tags: readonly string[],
    private readonly file: string,
  ) {}

  /** @returns undefined when the app does not say which tags it knows @throws Refusal when the named file is no list */
  static read(files: Files, root: string): KnownTags | undefined {
    const file = parsed<Settings>(files, join(root, "package.json"))?.groundwork?.endpointTags;
    if (file === undefined) return undefined;
    const tags = typeof file === "string" ? parsed<unknown>(files, join(root, file)) : undefined;
    if (typeof file === "string" && Array.isArray(tags) && tags.every((tag) => typeof tag === "string"))
      return new KnownTags(tags, file);
    throw new Refusal("package.json#groundwork.endpointTags does not name a JSON file with a list of tags", undefined, {
      remedy: `It is ${JSON.stringify(file)}: name a file like ["can:document.read", "public:*"], relative to the app's folder.`,
    });
  }

  has(tag: string): boolean {
    return this.tags.some((known) => (known.endsWith("*") ? tag.startsWith(known.slice(0, -1)) : tag === known));
  }

  /** What to do about a tag that is not known. */
  remedyFor(tag: string): string {
    const near = this.tags
      .map((known) => ({ known, far: distance(tag.slice(0, 64), known) }))
      .sort((a, b) => a.far - b.far)[0];
    const meant = near && near.far <= LIKE ? `Did you mean "${near.known}"? ` : "";
    return `${meant}The tags of this app stand in ${this.file}; \`npm run gen\` writes them after a change, where the app has it.`;
  }
}

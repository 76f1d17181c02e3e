// The demo's corpus: the Markdown that came with the packages, several hundred real documents.
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, sep } from "node:path";

export interface CorpusFile {
  /** Path below the corpus' folder, with forward slashes: "pino/docs/redaction.md". */
  source: string;
  text: string;
}

/** What is larger is left out, and so are change logs: the first start is a matter of minutes, most of them the embedder's. */
const MAX_BYTES = 8 * 1024;
const changeLog = /^(changes|changelog|history|releases?)\b/i;

/** Every Markdown file under `folder`, in the order of their paths; of files that are equal only the first. */
export function readCorpus(folder: string): CorpusFile[] {
  const seen = new Set<string>();
  const files: CorpusFile[] = [];
  for (const path of markdownUnder(folder)) {
    const text = readFileSync(path, "utf8").replaceAll("\u0000", "");
    const digest = createHash("sha256").update(text).digest("hex");
    if (text.trim() === "" || seen.has(digest)) continue;
    seen.add(digest);
    files.push({ source: relative(folder, path).split(sep).join("/"), text });
  }
  return files;
}

function markdownUnder(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name.startsWith(".") ? [] : markdownUnder(path);
    return entry.isFile() &&
      /\.md$/i.test(entry.name) &&
      !changeLog.test(entry.name) &&
      statSync(path).size <= MAX_BYTES
      ? [path]
      : [];
  });
}

// Markdown as a flat list of blocks: just enough structure to split a document where its author would. The blocks are
// lines of the text as written; what a block holds (tables, quotes, HTML) stays verbatim.
import { markdownProcesses } from "./markdown-processes";

export interface Block {
  /** item: an item of a list. text: everything else, tables, quotes and HTML too. */
  kind: "heading" | "fence" | "item" | "text";
  /** The block as written, without surrounding blank lines. */
  text: string;
  /** Headings only: 1–6. */
  level: number;
  /** Headings only: the heading's words, at most TITLE_MAX_CHARS. */
  title: string;
  /** What parts it from the block before. */
  gap: "\n" | "\n\n";
}

/** Of a heading in the trail of the chunks below it; a longer one is cut. */
export const TITLE_MAX_CHARS = 120;

/** By the numbers of markdown.child.mjs. */
const KINDS = ["text", "heading", "fence", "item"] as const;

/** Numbers that make one block in `cuts`. */
const WIDTH = 5;

/** Blocks in document order; every line that is not blank is in one. Deterministic. @throws MarkdownError */
export async function parseBlocks(source: string): Promise<Block[]> {
  const { text, cuts, titles } = await markdownProcesses().cuts(source);
  const blocks: Block[] = [];
  let headings = 0;
  for (let at = 0; at < cuts.length; at += WIDTH) {
    const kind = KINDS[cuts[at] ?? 0] ?? "text";
    blocks.push({
      kind,
      text: text.slice(cuts[at + 2], cuts[at + 3]),
      level: cuts[at + 1] ?? 0,
      title: kind === "heading" ? titleOf(titles[headings++] ?? "") : "",
      gap: cuts[at + 4] === 1 ? "\n\n" : "\n",
    });
  }
  return blocks;
}

function titleOf(words: string): string {
  const title = words.replace(/\s+/g, " ").trim();
  if (title.length <= TITLE_MAX_CHARS) return title;
  return `${title.slice(0, TITLE_MAX_CHARS - 1).replace(/[\ud800-\udbff]$/, "")}…`;
}

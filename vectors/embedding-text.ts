// What of a chunk is handed to the embedder: its words. Addresses, tags and code mean nothing to a sentence
// model and cost as much as prose; full text search still sees them. Part of the content's identity through
// the chunker's version.

/** Characters of a chunk's words that are embedded: the models' own window is of this order (256–512 tokens). */
export const EMBEDDING_TEXT_MAX_CHARS = 800;

/** Fewer letters than this and the chunk is taken as it is: it is all code, or a bare table. */
const MIN_WORD_CHARS = 24;

/** Never empty, whatever the chunk holds. */
export function embeddingText(chunk: { heading: string; content: string }): string {
  const words = wordsOf(chunk.content);
  const body = letters(words) >= MIN_WORD_CHARS ? words : collapse(chunk.content);
  const heading = wordsOf(chunk.heading.replaceAll(" > ", ". "));
  const text = heading === "" ? body : `${heading}. ${body}`;
  return (
    text
      .slice(0, EMBEDDING_TEXT_MAX_CHARS)
      .replace(/[\ud800-\udbff]$/, "")
      .trim() || "empty"
  );
}

function wordsOf(markdown: string): string {
  return collapse(
    markdown
      .replace(/^ {0,3}(`{3,}|~{3,})[^\n]*\n[\s\S]*?(?:\n {0,3}\1[`~]*[ \t]*$|$(?![\s\S]))/gm, " ")
      .replace(/<!--[\s\S]*?-->/g, " ")
      .replace(/<\/?[A-Za-z][^<>]{0,500}>/g, " ")
      .replace(/!\[([^\]]{0,200})\]\([^)]{0,1000}\)/g, "$1")
      .replace(/\[([^\][]{0,500})\](?:\([^)]{0,1000}\)|\[[^\]]{0,200}\])/g, "$1")
      .replace(/^\s{0,3}\[[^\]]{1,200}\]:\s.*$/gm, " ")
      .replace(/\bhttps?:\/\/[^\s)>\]]+/g, " ")
      .replace(/^\s{0,3}(?:#{1,6}\s|>\s?|[-*+]\s|={2,}$|-{2,}$)/gm, "")
      .replace(/[|`*_~]{1,}|:?-{3,}:?/g, " "),
  );
}

function collapse(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

function letters(text: string): number {
  return text.replace(/[^\p{L}\p{N}]/gu, "").length;
}

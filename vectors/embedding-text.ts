// What of a chunk is handed to the embedder: its words. Addresses, tags and code mean nothing to a sentence
// model and cost as much as prose; full text search still sees them. Part of the content's identity through
// the chunker's version.
import { markdownProcesses } from "./markdown-processes";

/** Characters of a chunk's words that are embedded: the models' own window is of this order (256–512 tokens). */
export const EMBEDDING_TEXT_MAX_CHARS = 800;

/** Fewer letters than this and the chunk is taken as it is: it is all code, or a bare table. */
const MIN_WORD_CHARS = 24;

export interface EmbeddableChunk {
  heading: string;
  content: string;
}

/** One text a chunk, in the chunks' order. Never empty, whatever a chunk holds. @throws MarkdownError */
export async function embeddingTexts(chunks: readonly EmbeddableChunk[]): Promise<string[]> {
  const words = await markdownProcesses().words(chunks.map(({ content }) => content));
  return chunks.map((chunk, index) => textOf(chunk, collapse(words[index] ?? "")));
}

function textOf(chunk: EmbeddableChunk, words: string): string {
  const readable = withoutAddresses(words);
  const body = letters(readable) >= MIN_WORD_CHARS ? readable : collapse(chunk.content);
  // A heading is words already.
  const heading = chunk.heading.replaceAll(" > ", ". ");
  const text = heading === "" ? body : `${heading}. ${body}`;
  return (
    text
      .slice(0, EMBEDDING_TEXT_MAX_CHARS)
      .replace(/[\ud800-\udbff]$/, "")
      .trim() || "empty"
  );
}

function withoutAddresses(words: string): string {
  return words
    .split(" ")
    .filter((word) => !/^[(<]?https?:\/\//.test(word))
    .join(" ");
}

function collapse(text: string): string {
  return text.replace(/\s+/g, " ").trim();
}

function letters(text: string): number {
  return text.match(/[\p{L}\p{N}]/gu)?.length ?? 0;
}

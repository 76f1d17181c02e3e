// Splits Markdown into chunks so that an edit stays local: where a chunk begins is decided from the block
// itself (its heading level or a hash of its text), never from how much came before. Changing one paragraph
// therefore changes the chunk it stands in (and, when it began one, its neighbour), and no other content is
// embedded again. The idea is content-defined chunking (Muthitacharoen et al., LBFS, 2001), on blocks.
import { createHash } from "node:crypto";
import { type Block, parseBlocks } from "./markdown";
import { splitBlock } from "./block-splitter";

export interface Chunk {
  /** Headings of the enclosing sections, outermost first, joined with " > "; the document's title is not one. */
  heading: string;
  /** The chunk as written. */
  content: string;
  /** SHA-256 over heading and content: equal means the same embedding. */
  hash: Buffer;
}

export interface ChunkedDocument {
  /** The first level-1 heading, if there is one. */
  title: string | undefined;
  chunks: Chunk[];
}

/** Characters of a chunk, but for headings that stand above it in the same chunk (HEADINGS_MAX_CHARS). */
export const CHUNK_MAX_CHARS = 1200;
/** Headings are not parted from the text below them, unless they are longer than this. */
export const HEADINGS_MAX_CHARS = 400;

/**
 * A document may have so many chunks, and one more for each so many characters. One that would have more (a heading for
 * every other word) is cut by length alone.
 */
export const CHUNKS_FREE = 100;
export const CHARS_PER_CHUNK_MIN = 150;

/** Part of every hash: raise it when a content's embedding text changes meaning, which embeds everything anew. */
const CHUNKER_VERSION = "2";

/**
 * Raise it when a text is split otherwise than before, or a content's hash changes: the upkeep then splits what is stored
 * again, and contents that are the same keep their embeddings.
 */
export const SPLITTER_VERSION = 1;

/** One in so many of the blocks that could go either way begins a chunk. */
const TEXT_BOUNDARY_ONE_IN = 5;
const SUBHEADING_BOUNDARY_ONE_IN = 3;
/** Items are short: so many characters of them make a chunk, about. */
const ITEMS_CHARS = 600;

/** Title and chunks of a Markdown text. Deterministic; an empty or blank text has no chunks. @throws MarkdownError */
export async function chunkMarkdown(text: string): Promise<ChunkedDocument> {
  const blocks = await parseBlocks(text);
  const title = blocks.find((block) => block.kind === "heading" && block.level === 1 && block.title !== "");
  const pieces = runsOf(blocks).flatMap(pack);
  const isFragmented = pieces.length > CHUNKS_FREE + text.length / CHARS_PER_CHUNK_MIN;
  return { title: title?.title, chunks: chunksOf(isFragmented ? pack(blocks) : pieces, title) };
}

function chunksOf(pieces: readonly Block[][], titleBlock: Block | undefined): Chunk[] {
  const trail: Block[] = [];
  return pieces.map((piece) => makeChunk(piece, trail));

  function makeChunk(piece: readonly Block[], enclosing: Block[]): Chunk {
    const first = piece[0];
    if (first?.kind === "heading") leave(enclosing, first.level);
    const heading = enclosing
      .filter(({ title, level }) => title !== "" && !(level === 1 && title === titleBlock?.title))
      .map((block) => block.title)
      .join(" > ");
    for (const block of piece) {
      if (block.kind !== "heading") continue;
      leave(enclosing, block.level);
      enclosing.push(block);
    }
    const content = piece.map((block, index) => (index === 0 ? block.text : block.gap + block.text)).join("");
    return { heading, content, hash: contentHash(heading, content) };
  }
}

/** The identity of a content. */
export function contentHash(heading: string, content: string): Buffer {
  return createHash("sha256").update(`${CHUNKER_VERSION}\0${heading}\0${content}`).digest();
}

function leave(trail: Block[], level: number): void {
  while ((trail.at(-1)?.level ?? 0) >= level) trail.pop();
}

function runsOf(blocks: readonly Block[]): Block[][] {
  const runs: Block[][] = [];
  let previous: Block | undefined;
  for (const block of blocks) {
    const run = runs.at(-1);
    if (!run || beginsRun(block, previous)) runs.push([block]);
    else run.push(block);
    previous = block;
  }
  return runs;
}

/** A heading is never parted from what follows it. */
function beginsRun(block: Block, previous: Block | undefined): boolean {
  if (previous?.kind === "heading") return false;
  if (block.kind === "heading") return block.level <= 2 || fingerprint(block.text) % SUBHEADING_BOUNDARY_ONE_IN === 0;
  if (block.kind === "fence") return false;
  const oneIn =
    block.kind === "item"
      ? Math.max(TEXT_BOUNDARY_ONE_IN, Math.round(ITEMS_CHARS / block.text.length))
      : TEXT_BOUNDARY_ONE_IN;
  return fingerprint(block.text) % oneIn === 0;
}

/** Cuts a run that is too long, at its blocks where possible. */
function pack(run: readonly Block[]): Block[][] {
  const pieces: Block[][] = [];
  let current: Block[] = [];
  let length = 0;
  for (const block of run.flatMap((each) => splitBlock(each, CHUNK_MAX_CHARS))) {
    const isHeadings = length <= HEADINGS_MAX_CHARS && current.every(({ kind }) => kind === "heading");
    if (length + block.text.length > CHUNK_MAX_CHARS && !isHeadings) {
      pieces.push(current);
      current = [];
      length = 0;
    }
    current.push(block);
    length += block.text.length + 2;
  }
  if (current.length > 0) pieces.push(current);
  return pieces;
}

/** FNV-1a, 32 bits: spreads well, and needs no key. */
function fingerprint(text: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193) >>> 0;
  return (hash ^ (hash >>> 15)) >>> 0;
}

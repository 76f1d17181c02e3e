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

/** Characters; a chunk is longer only when nothing in it can be split. */
export const CHUNK_MAX_CHARS = 1200;

/** Part of every hash: raise it when splitting or embedding text changes meaning. */
const CHUNKER_VERSION = "1";

/** One in so many of the blocks that could go either way begins a chunk. */
const TEXT_BOUNDARY_ONE_IN = 5;
const SUBHEADING_BOUNDARY_ONE_IN = 3;

/** Title and chunks of a Markdown text. Deterministic; an empty or blank text has no chunks. */
export function chunkMarkdown(text: string): ChunkedDocument {
  const blocks = parseBlocks(text);
  const titleBlock = blocks.find((block) => block.kind === "heading" && block.level === 1);
  const chunks: Chunk[] = [];
  const trail: Block[] = [];
  for (const run of runsOf(blocks)) {
    for (const piece of pack(run)) chunks.push(makeChunk(piece, trail));
  }
  return { title: titleBlock?.title || undefined, chunks };

  function makeChunk(piece: readonly Block[], enclosing: Block[]): Chunk {
    const first = piece[0];
    if (first?.kind === "heading") leave(enclosing, first.level);
    const heading = enclosing
      .filter((block) => block !== titleBlock && block.title !== "")
      .map((block) => block.title)
      .join(" > ");
    for (const block of piece) {
      if (block.kind !== "heading") continue;
      leave(enclosing, block.level);
      enclosing.push(block);
    }
    const content = piece.map((block) => block.text).join("\n\n");
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
  return block.kind === "text" && fingerprint(block.text) % TEXT_BOUNDARY_ONE_IN === 0;
}

/** Cuts a run that is too long, at its blocks where possible. */
function pack(run: readonly Block[]): Block[][] {
  const pieces: Block[][] = [];
  let current: Block[] = [];
  let length = 0;
  for (const block of run.flatMap((each) => splitBlock(each, CHUNK_MAX_CHARS))) {
    const headingsOnly = current.every(({ kind }) => kind === "heading");
    if (length + block.text.length > CHUNK_MAX_CHARS && !headingsOnly) {
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

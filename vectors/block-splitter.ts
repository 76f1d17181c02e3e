// Cuts one block that is longer than a chunk may be: code at line ends with its fence repeated, prose at
// line ends, then at sentence ends, then at spaces, and only as the last resort in the middle of a word.
import type { Block } from "./markdown";

/** The block itself when it fits, else pieces of at most `maxChars` characters (fence lines included). */
export function splitBlock(block: Block, maxChars: number): Block[] {
  if (block.text.length <= maxChars) return [block];
  if (block.kind === "fence") return splitFence(block, maxChars);
  if (block.kind === "heading") return [block];
  return splitText(block.text, maxChars).map((text) => ({ ...block, text }));
}

function splitFence(block: Block, maxChars: number): Block[] {
  const lines = block.text.split("\n");
  const opening = lines[0] ?? "```";
  const mark = /(`{3,}|~{3,})/.exec(opening)?.[0] ?? "```";
  const closed = lines.length > 1 && (lines.at(-1) ?? "").trim().startsWith(mark);
  const body = lines.slice(1, closed ? -1 : undefined).join("\n");
  // An opening line can be absurdly long; then the mark alone must do.
  const head = opening.length <= 80 ? opening : mark;
  const room = maxChars - head.length - mark.length - 2;
  return splitText(body, room).map((text) => ({ ...block, text: `${head}\n${text}\n${mark}` }));
}

const CUTS = [/\n/g, /(?<=[.!?])\s/g, /\s/g];

function splitText(text: string, maxChars: number): string[] {
  const pieces: string[] = [];
  let rest = text;
  while (rest.length > maxChars) {
    const cut = findCut(rest.slice(0, maxChars + 1), maxChars);
    pieces.push(rest.slice(0, cut).trimEnd());
    rest = rest.slice(cut).replace(/^\s*\n|^ /, "");
  }
  if (rest.trim() !== "") pieces.push(rest);
  return pieces.filter((piece) => piece !== "");
}

/** Index of the last cut of the best kind that still leaves a piece of at least a third. */
function findCut(window: string, maxChars: number): number {
  for (const kind of CUTS) {
    let last = -1;
    for (const match of window.matchAll(kind)) last = match.index;
    if (last >= maxChars / 3) return last;
  }
  // Not between the two halves of a character outside the basic plane.
  const code = window.charCodeAt(maxChars - 1);
  return code >= 0xd800 && code <= 0xdbff ? maxChars - 1 : maxChars;
}

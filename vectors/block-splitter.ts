// Cuts one block that is longer than a chunk may be: code at line ends with its fence repeated, prose at
// line ends, then at sentence ends, then at spaces, and only as the last resort in the middle of a word.
import type { Block } from "./markdown";

/** A fence with a longer opening line or mark is cut as if it were prose: repeated, it would fill the pieces. */
const OPENING_MAX_CHARS = 80;
const MARK_MAX_CHARS = 16;

/** The block itself when it fits, else pieces of at most `maxChars` characters (fence lines included). */
export function splitBlock(block: Block, maxChars: number): Block[] {
  if (block.text.length <= maxChars) return [block];
  if (block.kind === "fence") return splitFence(block, maxChars);
  const [first = "", ...rest] = splitText(block.text, maxChars);
  return [{ ...block, text: first }, ...rest.map((text) => textBlock(text))];
}

const textBlock = (text: string): Block => ({ kind: "text", text, level: 0, title: "", gap: "\n\n" });

function splitFence(block: Block, maxChars: number): Block[] {
  const lines = block.text.split("\n");
  const opening = lines[0] ?? "";
  const mark = /^ {0,3}(`+|~+)/.exec(opening)?.[1];
  if (mark === undefined || mark.length > MARK_MAX_CHARS || opening.length > OPENING_MAX_CHARS)
    return splitText(block.text, maxChars).map(textBlock);
  const isClosed = lines.length > 1 && (lines.at(-1) ?? "").trim().startsWith(mark);
  const body = lines.slice(1, isClosed ? -1 : undefined).join("\n");
  const room = maxChars - opening.length - mark.length - 2;
  return splitText(body, room).map((text) => ({ ...block, text: `${opening}\n${text}\n${mark}`, gap: "\n\n" }));
}

/** Pieces of at most `maxChars` that make up the text but for the blanks they are cut at. */
function splitText(text: string, maxChars: number): string[] {
  const pieces: string[] = [];
  let from = 0;
  while (text.length - from > maxChars) {
    const cut = findCut(text, from, maxChars);
    pieces.push(text.slice(from, cut));
    from = text[cut] === "\n" || text[cut] === " " ? cut + 1 : cut;
  }
  pieces.push(text.slice(from));
  return pieces.map((piece) => piece.trimEnd()).filter((piece) => piece !== "");
}

/** The last cut of the best kind that still leaves a piece of at least a third; always beyond `from`. */
function findCut(text: string, from: number, maxChars: number): number {
  const least = from + Math.ceil(maxChars / 3);
  let sentence = -1;
  let blank = -1;
  for (let at = from + maxChars; at >= least; at--) {
    const char = text[at];
    if (char === "\n") return at;
    if (char !== " " && char !== "\t") continue;
    if (blank === -1) blank = at;
    if (sentence === -1 && /[.!?]/.test(text[at - 1] ?? "")) sentence = at;
  }
  if (sentence !== -1) return sentence;
  if (blank !== -1) return blank;
  // Not between the two halves of a character outside the basic plane.
  const code = text.charCodeAt(from + maxChars - 1);
  return code >= 0xd800 && code <= 0xdbff ? from + maxChars - 1 : from + maxChars;
}

// Markdown as a flat list of blocks: just enough structure to split a document where its author would.
// Not a renderer: what it does not know (tables, lists, HTML) stays text, verbatim.

export interface Block {
  kind: "heading" | "fence" | "text";
  /** The block as written, without surrounding blank lines. */
  text: string;
  /** Headings only: 1–6. */
  level: number;
  /** Headings only: the heading's words. */
  title: string;
}

const ATX = /^ {0,3}(#{1,6})(?:[ \t]+(.*?))?[ \t]*#*[ \t]*$/;
const FENCE = /^ {0,3}(`{3,}|~{3,})/;
const SETEXT = /^ {0,3}(=+|-{2,})[ \t]*$/;

/** Line endings as "\n", no byte order mark, no trailing blanks: so that equal documents are equal bytes. */
export function normaliseText(text: string): string {
  return text
    .replace(/^\uFEFF/, "")
    .replace(/\r\n?/g, "\n")
    .replace(/[ \t]+$/gm, "");
}

/** Blocks in document order. Deterministic; never throws. */
export function parseBlocks(text: string): Block[] {
  const blocks: Block[] = [];
  let open: string[] = [];
  const close = (): void => {
    if (open.length > 0) blocks.push({ kind: "text", text: open.join("\n"), level: 0, title: "" });
    open = [];
  };
  const lines = normaliseText(text).split("\n");
  for (let at = 0; at < lines.length; at++) {
    const line = lines[at] ?? "";
    const fence = FENCE.exec(line)?.[1];
    const atx = fence === undefined ? ATX.exec(line) : null;
    if (fence !== undefined) {
      close();
      const end = endOfFence(lines, at, fence);
      blocks.push({ kind: "fence", text: lines.slice(at, end + 1).join("\n"), level: 0, title: "" });
      at = end;
    } else if (atx) {
      close();
      blocks.push(heading(line, atx[1]?.length ?? 1, atx[2] ?? ""));
    } else if (open.length === 1 && SETEXT.test(line)) {
      const [words = ""] = open;
      open = [];
      blocks.push(heading(`${words}\n${line}`, line.includes("=") ? 1 : 2, words));
    } else if (line === "") {
      close();
    } else {
      open.push(line);
    }
  }
  close();
  return blocks;
}

/** A fence closes with the same character, at least as often; left open, it runs to the end. */
function endOfFence(lines: readonly string[], start: number, opening: string): number {
  const closing = new RegExp(`^ {0,3}${opening[0] === "~" ? "~" : "`"}{${opening.length},}[ \\t]*$`);
  for (let at = start + 1; at < lines.length; at++) if (closing.test(lines[at] ?? "")) return at;
  return lines.length - 1;
}

function heading(text: string, level: number, title: string): Block {
  return { kind: "heading", text, level, title: title.trim() };
}

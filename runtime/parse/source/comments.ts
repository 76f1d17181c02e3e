// The doc comment of a declaration: the block comment, or the run of line comments, that ends on the line before
// it (or on its own line). The statement that starts the declaration's line may carry it.
import { ts, type TypeScript } from "../typescript";

function leading(node: TypeScript.Node, text: string): readonly TypeScript.CommentRange[] {
  return ts.getLeadingCommentRanges(text, node.getFullStart()) ?? [];
}

/** The outermost node that starts at an offset. */
function startingAt(within: TypeScript.Node, offset: number): TypeScript.Node | undefined {
  return ts.forEachChild(within, (child) => {
    if (child.getStart() === offset) return child;
    return child.pos <= offset && offset < child.end ? startingAt(child, offset) : undefined;
  });
}

function candidates(node: TypeScript.Node, text: string): readonly TypeScript.CommentRange[] {
  // Comments before a node may also belong to the token that it follows on the same line.
  const own = leading(node, text);
  if (own.length) return own;
  const before = ts.getTrailingCommentRanges(text, node.getFullStart()) ?? [];
  if (before.some((comment) => comment.end <= node.getStart())) return before;
  const lineStart = text.lastIndexOf("\n", node.getStart() - 1) + 1;
  const first = startingAt(node.getSourceFile(), lineStart);
  if (first) return leading(first, text);
  return [];
}

function cleanLines(comment: TypeScript.CommentRange, text: string): string[] {
  const isBlock = comment.kind === ts.SyntaxKind.MultiLineCommentTrivia;
  const raw = text.slice(comment.pos + 2, isBlock ? comment.end - 2 : comment.end);
  const jsdoc = isBlock && raw.startsWith("*");
  // A line comment of nothing but `//` is no line at all.
  if (raw === "") return [];
  return raw.split(/\r?\n/).map((line) => (jsdoc ? line.trim().replace(/^\*/, "").trimStart() : line.trim()));
}

/** Offset at which the line `up` lines above the one of `offset` starts. */
function lineStartAbove(text: string, offset: number, up: number): number {
  let start = text.lastIndexOf("\n", offset - 1) + 1;
  for (let i = 0; i < up && start > 0; i++) start = text.lastIndexOf("\n", start - 2) + 1;
  return start;
}

export function docOf(node: TypeScript.Node): string | undefined {
  const { text } = node.getSourceFile();
  const kept: TypeScript.CommentRange[] = [];
  for (const [i, comment] of [...candidates(node, text)].reverse().entries()) {
    const isBlock = comment.kind === ts.SyntaxKind.MultiLineCommentTrivia;
    if (i > 0 && isBlock) break;
    if (comment.end < lineStartAbove(text, node.getStart(), i + 1)) break;
    kept.unshift(comment);
    if (isBlock) break;
  }
  return (
    kept
      .flatMap((comment) => cleanLines(comment, text))
      .join("\n")
      .trim() || undefined
  );
}

// The first syntax error of a file, in TypeScript's words, at the place where Encore sees it.
import { ts, type TypeScript } from "../typescript";

interface WithDiagnostics {
  parseDiagnostics: readonly TypeScript.DiagnosticWithLocation[];
}

/** Codes of the compiler's messages. */
const COMMENT_END_EXPECTED = 1010;
const STATEMENT_EXPECTED = 1128;
const UNEXPECTED_WORD = new Set([1434, 1435]);

/** Where the token after the word at `start` starts; at the end of the file, the end of the word. */
function afterWord(text: string, start: number): number {
  const word = /^[\w$]*/.exec(text.slice(start))?.[0].length ?? 0;
  const space = /^\s*/.exec(text.slice(start + word))?.[0].length ?? 0;
  return start + word + space < text.length ? start + word + space : start + word;
}

function placeOf({ code, start }: TypeScript.DiagnosticWithLocation, file: TypeScript.SourceFile): number {
  const { text, endOfFileToken } = file;
  if (code === COMMENT_END_EXPECTED) return text.lastIndexOf("/*");
  // What is missing at the end is missing after the last token.
  if (start >= endOfFileToken.getStart(file)) return endOfFileToken.pos;
  const isWord = UNEXPECTED_WORD.has(code) || (code === STATEMENT_EXPECTED && /^export\b/.test(text.slice(start)));
  return isWord ? afterWord(text, start) : start;
}

/** undefined when the file has none. */
export function firstSyntaxError(file: TypeScript.SourceFile): { message: string; offset: number } | undefined {
  const [first] = (file as unknown as WithDiagnostics).parseDiagnostics;
  return first && { message: ts.flattenDiagnosticMessageText(first.messageText, " "), offset: placeOf(first, file) };
}

// Where a page of a search ends: by what was searched, and the last result with its score. A bare number of results would pass
// over some and repeat others when the next page is answered by another list, because the embedder went or came meanwhile.
import { isUuid } from "../db/ids";
import type { SearchPlace } from "./store/search-statement";

/** hybrid: by meaning and by words. */
export type SearchMode = "hybrid" | "vector" | "words";

export interface SearchCursor extends SearchPlace {
  /** By what the page before was answered. */
  mode: SearchMode;
}

const MODES: readonly string[] = ["hybrid", "vector", "words"] satisfies SearchMode[];

export function cursorText({ mode, score, documentId, ordinal }: SearchCursor): string {
  return [mode, score, documentId, ordinal].join("_");
}

/** What `cursorText` made; undefined for any other text. */
export function readCursor(text: string): SearchCursor | undefined {
  const [mode = "", scoreText = "", documentId = "", ordinalText = "", ...more] = text.split("_");
  const [score, ordinal] = [Number(scoreText), Number(ordinalText)];
  const isPlace = score > 0 && score <= 1 && Number.isInteger(ordinal) && ordinal >= 0 && ordinal < 2 ** 31;
  const isExact = String(score) === scoreText && String(ordinal) === ordinalText;
  if (!MODES.includes(mode) || !isPlace || !isExact || !isUuid(documentId) || more.length > 0) return undefined;
  return { mode: mode as SearchMode, score, documentId, ordinal };
}

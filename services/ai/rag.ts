// An answer from the organisation's own documents, with citations that can be checked: each quote stands in its document to
// the letter.
import { bestSentences } from "./sentences";

/** A piece of a document that search found. */
export interface FoundPiece {
  documentId: string;
  source: string;
  /** Of the document's headings, joined with " > "; may be empty. */
  heading: string;
  text: string;
}

export interface Citation {
  documentId: string;
  source: string;
  quote: string;
  heading?: string;
  /** Of documents that have pages. */
  page?: number;
}

export interface Answer {
  answer: string;
  citations: Citation[];
}

const SENTENCES_MAX = 4;

/** The best sentences, the best first, one after the other. Empty when nothing was found. */
export function extractiveAnswer(question: string, pieces: readonly FoundPiece[]): Answer {
  const sentences = bestSentences(
    question,
    pieces.map(({ text }) => text),
    SENTENCES_MAX,
  );
  const citations = sentences.flatMap(({ piece, text }) => {
    const found = pieces[piece];
    return found === undefined ? [] : [citationOf(found, text)];
  });
  return { answer: citations.map(({ quote }) => oneLine(quote)).join(" "), citations };
}

export function citationOf({ documentId, source, heading, text }: FoundPiece, quote: string): Citation {
  const page = pageOf(heading, text.slice(0, Math.max(0, text.indexOf(quote))));
  return {
    ...{ documentId, source, quote },
    ...(heading === "" ? {} : { heading }),
    ...(page === undefined ? {} : { page }),
  };
}

const PAGE = "Page ";
const PAGE_HEADING = `## ${PAGE}`;

/** Documents of files have a heading for each page (services/assets): the last one before the quote, or what the piece stands under. */
function pageOf(heading: string, before: string): number | undefined {
  const inPiece = before.split("\n").filter((line) => line.startsWith(PAGE_HEADING));
  const above = heading.split(" > ").filter((title) => title.startsWith(PAGE));
  const title = inPiece.at(-1)?.slice(PAGE_HEADING.length) ?? above.at(-1)?.slice(PAGE.length);
  const page = Number(title);
  return Number.isSafeInteger(page) && page > 0 && String(page) === title ? page : undefined;
}

const oneLine = (text: string): string => text.split("\n").join(" ");

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

export function citationOf({ documentId, source, heading }: FoundPiece, quote: string): Citation {
  return { documentId, source, quote, ...(heading === "" ? {} : { heading }) };
}

const oneLine = (text: string): string => text.split("\n").join(" ");

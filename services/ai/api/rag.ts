// Questions about the organisation's documents.
import { api } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { vectors } from "~encore/clients";
import { parseInput } from "../../../security/input";
import { currentPrincipal } from "../../../security/principal";
import { groundedAnswer } from "../grounded-answer";
import { questionInput } from "../input";
import { extractiveAnswer } from "../rag";

interface RagRequest {
  question: string & MinLen<1> & MaxLen<1000>;
  /** How many pieces of documents are read for the answer, 8 if not given. */
  k?: number & Min<1> & Max<20>;
}

interface Citation {
  documentId: string;
  source: string;
  /** Stands in the document to the letter. */
  quote: string;
  /** The headings it stands under, outermost first, joined with " > ". */
  heading?: string;
  /** Of documents that have pages. */
  page?: number;
}

interface RagResponse {
  /** Empty when no document was found. */
  answer: string;
  /** `extractive`: the documents' own sentences; `generated`: a model's, from them. */
  mode: "extractive" | "generated";
  citations: Citation[];
}

/** Answers a question from the organisation's documents, with citations. */
export const answerQuestion = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/ai/rag/query",
    tags: ["can:ai.use", "limit:ai"],
  },
  async (req: RagRequest): Promise<RagResponse> => {
    const { question } = parseInput(questionInput, { question: req.question });
    // As the caller: their organisation's pieces, and only for who may read them (document.read).
    const { results } = await vectors.search({ q: question, k: Math.floor(req.k ?? 8) });
    const generated = results.length === 0 ? undefined : await groundedAnswer(currentPrincipal(), question, results);
    if (generated !== undefined) return { mode: "generated", ...generated };
    return { mode: "extractive", ...extractiveAnswer(question, results) };
  },
);

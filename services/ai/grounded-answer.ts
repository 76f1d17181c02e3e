// An answer that a model makes from the found pieces. Its quotes are looked for in the pieces: one that does not stand there is no
// citation, and an answer without any is none. Pieces are data for the model, whatever they say (untrusted.ts).
import type { Principal } from "../../security/principal";
import { logger } from "../../telemetry/logger";
import { collect } from "./collect";
import { ask, TIMINGS } from "./gateway";
import { fits, parseAnswer, type AnswerSchema } from "./json-schema";
import { citationOf, type Answer, type Citation, type FoundPiece } from "./rag";
import { asData, DATA_RULE } from "./untrusted";
import { reasonOf } from "../../security/errors";

const OUTPUT_TOKENS = 1_024;
/** Whoever asked cannot be seen leaving (an endpoint with types has no signal), and the documents' sentences stand in. */
const RAG_TIMINGS = { ...TIMINGS, totalMs: 45_000 };
const QUOTES_MAX = 10;

interface Claimed {
  answer: string;
  quotes: { piece: number; quote: string }[];
}

const CLAIMED: AnswerSchema = {
  type: "object",
  properties: {
    answer: { type: "string" },
    quotes: {
      type: "array",
      items: {
        type: "object",
        properties: { piece: { type: "integer" }, quote: { type: "string" } },
        required: ["piece", "quote"],
        additionalProperties: false,
      },
    },
  },
  required: ["answer", "quotes"],
  additionalProperties: false,
};

const RULES = [
  "Answer the question from the pieces of documents alone, in the question's language.",
  `Answer JSON alone, of this schema: ${JSON.stringify(CLAIMED)}.`,
  "Each quote is copied to the letter from the piece of that number, and shows what the answer says.",
  "When the pieces do not answer the question, the answer is an empty text and there are no quotes.",
  DATA_RULE,
].join(" ");

/** Undefined where no model gave an answer that its quotes bear out: the documents' own sentences stand in for it. */
export async function groundedAnswer(
  principal: Principal,
  question: string,
  pieces: readonly FoundPiece[],
): Promise<Answer | undefined> {
  const shown = pieces.map(({ text }, number) => `Piece ${number}:\n${asData(text)}`);
  const messages = [
    { role: "system" as const, content: RULES },
    { role: "user" as const, content: `${shown.join("\n\n")}\n\nQuestion: ${question}` },
  ];
  const request = { messages, maxOutputTokens: OUTPUT_TOKENS, jsonSchema: CLAIMED, isSchemaTold: true };
  try {
    const { text } = await collect(await ask(principal, { kind: "rag", request }, RAG_TIMINGS));
    return checked(parseAnswer(text), pieces);
  } catch (error) {
    const reason = reasonOf(error);
    if (reason === undefined) throw error;
    if (reason !== "ai_not_configured") logger("ai").warn({ reason }, "no model answered: the documents' sentences do");
    return undefined;
  }
}

/** Exported for its test. */
export function checked(value: unknown, pieces: readonly FoundPiece[]): Answer | undefined {
  if (!fits(value, CLAIMED)) return undefined;
  const { answer, quotes } = value as Claimed;
  const citations = quotes.slice(0, QUOTES_MAX).flatMap(({ piece, quote }): Citation[] => {
    const found = pieces[piece];
    const text = found === undefined ? undefined : textOfQuote(quote, found.text);
    return found === undefined || text === undefined ? [] : [citationOf(found, text)];
  });
  return answer.trim() === "" || citations.length === 0 ? undefined : { answer, citations };
}

const QUOTE_CHARS_MIN = 8;

/** The part of the text that a quote is, to the letter; models write line ends as blanks. Undefined when it stands nowhere. */
function textOfQuote(quote: string, text: string): string | undefined {
  const wanted = flat(quote).trim();
  const at = wanted.length < QUOTE_CHARS_MIN ? -1 : flat(text).indexOf(wanted);
  return at === -1 ? undefined : text.slice(at, at + wanted.length);
}

/** Of the same length, so that places stay. */
const flat = (text: string): string => text.replaceAll("\n", " ");

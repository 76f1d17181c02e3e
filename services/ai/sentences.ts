// Answers without a model: the sentences of found pieces that hold the question's words, as they stand. Every quote is a part
// of its piece, to the letter, so that whoever doubts it can look. Linear in the texts: pieces are short (vectors bounds them).

export interface Sentence {
  /** Which piece, from 0. */
  piece: number;
  text: string;
  score: number;
}

const SENTENCE_MIN_CHARS = 12;
const SENTENCE_MAX_CHARS = 500;
/** Of a piece, in characters: vectors' pieces are shorter, others' need not be. */
const PIECE_MAX_CHARS = 8_000;

/** Words that every question has, and that say nothing of what is asked. */
const STOP_WORDS = new Set(
  "a an and are as at be by can could did do does for from had has have how i if in into is it its me my of on or our should so than that the their them then there these they this to us was we were what when where which who whom whose why will with would you your".split(
    " ",
  ),
);

/** Not Intl.Segmenter, which takes half a second for the pieces of one question. */
const WORD = /[\p{L}\p{N}]+/gu;

/** Enough for plurals and tenses of English; other languages keep their words. */
function stemOf(word: string): string {
  for (const ending of ["ing", "ies", "ed", "es", "s"])
    if (word.length > ending.length + 3 && word.endsWith(ending)) return word.slice(0, -ending.length);
  return word;
}

/** Stems of the words that say something, without repetition. */
export function stemsOf(text: string): Set<string> {
  const stems = new Set<string>();
  for (const [word] of text.toLowerCase().matchAll(WORD))
    if (word.length > 1 && !STOP_WORDS.has(word)) stems.add(stemOf(word));
  return stems;
}

const isHeading = (line: string): boolean => line.startsWith("#");
const isBoundary = (line: string): boolean => {
  const text = line.trim();
  return text === "" || isHeading(text) || text.startsWith("```") || text.startsWith("|") || isItem(text);
};
const isItem = (text: string): boolean => text.startsWith("- ") || text.startsWith("* ") || text.startsWith("+ ");

const ENDS = new Set([".", "?", "!"]);
/** End a sentence whatever follows. */
const WIDE_ENDS = new Set(["\u3002", "\uff1f", "\uff01"]);
const CLOSING = new Set(['"', "'", ")", "]", "*", "_", "`", "\u201d", "\u2019"]);

/** Where the sentences of a paragraph end, in characters; the paragraph's own end is one. */
function endsOf(paragraph: string): number[] {
  const ends: number[] = [];
  for (let at = 0; at < paragraph.length; at++) {
    const char = paragraph.charAt(at);
    if (!ENDS.has(char) && !WIDE_ENDS.has(char)) continue;
    let end = at + 1;
    while (CLOSING.has(paragraph.charAt(end))) end++;
    const next = paragraph.charAt(end);
    if (WIDE_ENDS.has(char) || next === "" || next === " " || next === "\n") ends.push(end);
    at = end - 1;
  }
  return [...ends, paragraph.length];
}

/** Sentences of Markdown or plain text, each a part of it. Headings and fences are none. */
export function sentencesOf(text: string): string[] {
  const found: string[] = [];
  let paragraph = "";
  const close = (): void => {
    let start = 0;
    for (const end of endsOf(paragraph)) {
      const sentence = paragraph.slice(start, end).trim();
      if (sentence.length >= SENTENCE_MIN_CHARS && sentence.length <= SENTENCE_MAX_CHARS) found.push(sentence);
      start = end;
    }
    paragraph = "";
  };
  for (const line of text.slice(0, PIECE_MAX_CHARS).split("\n")) {
    if (isBoundary(line)) close();
    if (line.trim() !== "" && !isHeading(line.trim()) && !line.trim().startsWith("```")) paragraph += `${line}\n`;
  }
  close();
  return found;
}

interface Candidate {
  piece: number;
  text: string;
  /** The question's stems that it holds, in the question's order. */
  held: string[];
}

/** By its own words, not by the question's, of which there may be hundreds: each word of the pieces is looked at once. */
function candidatesOf(pieces: readonly string[], asked: ReadonlyMap<string, number>): Candidate[] {
  const placeOf = (stem: string): number => asked.get(stem) ?? 0;
  return pieces.flatMap((text, piece) =>
    sentencesOf(text).map((sentence) => {
      const held = [...stemsOf(sentence)].filter((stem) => asked.has(stem));
      return { piece, text: sentence, held: held.sort((a, b) => placeOf(a) - placeOf(b)) };
    }),
  );
}

/**
 * The best sentences for a question, the best first, at most `limit`: by the share of the question's words that each holds, rare
 * ones counting more, and by the rank of its piece. When none holds any, the first sentence of the first piece that has one:
 * search found it by meaning.
 */
export function bestSentences(question: string, pieces: readonly string[], limit: number): Sentence[] {
  const asked = new Map([...stemsOf(question)].map((stem, place) => [stem, place]));
  const all = candidatesOf(pieces, asked);
  const holding = new Map<string, number>();
  for (const { held } of all) for (const stem of held) holding.set(stem, (holding.get(stem) ?? 0) + 1);
  const weights = new Map(
    [...asked.keys()].map((stem) => [stem, Math.log(1 + all.length / (1 + (holding.get(stem) ?? 0)))]),
  );
  const total = [...weights.values()].reduce((sum, weight) => sum + weight, 0);
  const scored = all.flatMap(({ piece, text, held }) => {
    if (held.length === 0) return [];
    const share = held.reduce((sum, stem) => sum + (weights.get(stem) ?? 0), 0) / total;
    return [{ piece, text, score: share + 0.2 / (1 + piece) }];
  });
  const distinct = new Map<string, Sentence>();
  for (const sentence of scored.sort((a, b) => b.score - a.score || a.piece - b.piece))
    if (!distinct.has(sentence.text)) distinct.set(sentence.text, sentence);
  const best = [...distinct.values()];
  // What holds much less of the question than the best one answers something else.
  const enough = best.filter(({ score }) => score >= (best[0]?.score ?? 0) * 0.6).slice(0, limit);
  if (enough.length > 0) return enough;
  const [first] = all;
  return first === undefined ? [] : [{ piece: first.piece, text: first.text, score: 0 }];
}

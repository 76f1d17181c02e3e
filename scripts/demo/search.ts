// Asking and showing.
import { setTimeout as sleep } from "node:timers/promises";
import type { ApiClient } from "./api-client";

interface SearchResult {
  source: string;
  text: string;
  score: number;
}

interface SearchAnswer {
  mode: "hybrid" | "vector" | "words";
  results: SearchResult[];
}

const TEXT_MAX_CHARS = 300;
/** A slow machine may need longer to load the sentence model than one search waits for it. */
const TRIES = 6;
const PAUSE_MS = 1_000;

export function searchPath(question: string, k: number): string {
  return `/vectors/search?${new URLSearchParams({ q: question, k: String(k) }).toString()}`;
}

/** The answer, ready to print. */
export async function answerTo(client: ApiClient, question: string, k: number): Promise<string> {
  const { mode, results } = await search(client, question, k);
  const note = mode === "words" ? "  (by words alone: the sentence model does not answer)\n" : "";
  return note + shown(results);
}

async function search(client: ApiClient, question: string, k: number): Promise<SearchAnswer> {
  for (let attempt = 1; ; attempt++) {
    const answer = await client.call<SearchAnswer>("GET", searchPath(question, k));
    if (answer.mode === "hybrid" || attempt === TRIES) return answer;
    await sleep(PAUSE_MS);
  }
}

function shown(results: readonly SearchResult[]): string {
  if (results.length === 0) return "  nothing found\n";
  return results
    .map(({ source, text, score }, index) => `  ${index + 1}. ${source}  (${score.toFixed(2)})\n${excerpt(text)}\n`)
    .join("\n");
}

function excerpt(text: string): string {
  const flat = text.replace(/\s+/g, " ").trim();
  const short = flat.length > TEXT_MAX_CHARS ? `${flat.slice(0, TEXT_MAX_CHARS)}…` : flat;
  return short.replace(/(.{1,96})(?:\s|$)/g, "     $1\n").trimEnd();
}

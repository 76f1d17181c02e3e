// Asking and showing.
import type { ApiClient } from "./api-client";

interface SearchResult {
  source: string;
  text: string;
  score: number;
}

const TEXT_MAX_CHARS = 300;

export function searchPath(question: string, k: number): string {
  return `/vectors/search?${new URLSearchParams({ q: question, k: String(k) }).toString()}`;
}

/** The answer, ready to print. */
export async function answerTo(client: ApiClient, question: string, k: number): Promise<string> {
  const { results } = await client.call<{ results: SearchResult[] }>("GET", searchPath(question, k));
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

// What the tools do: each is one call of an endpoint of the vectors service in the caller's name, so that permissions, limits and
// the organisation are those of that endpoint.
import { vectors } from "~encore/clients";
import { parseInput } from "../../security/input";
import { pageOf } from "./page";
import {
  tools,
  type FetchArguments,
  type FetchResult,
  type IngestArguments,
  type IngestResult,
  type SearchArguments,
  type SearchResult,
  type ToolName,
} from "./tools";

/** @param apiUrl of this API, for documents whose source is no address */
export async function callTool(name: ToolName, sent: unknown, apiUrl: string): Promise<object> {
  switch (name) {
    case "search":
      return search(parseInput(tools.search.input, sent), apiUrl);
    case "fetch":
      return fetchDocument(parseInput(tools.fetch.input, sent), apiUrl);
    case "ingest":
      return ingest(parseInput(tools.ingest.input, sent));
  }
}

async function search(asked: SearchArguments, apiUrl: string): Promise<SearchResult> {
  const { query, metadata, ...rest } = asked;
  const filter = metadata === undefined ? {} : { metadata: JSON.stringify(metadata) };
  const { mode, results, next } = await vectors.search({ q: query, ...rest, ...filter });
  const shown = results.map(({ documentId: id, title, heading, source, snippet, chunk, score }) => ({
    ...{ id, title, heading, source, snippet, url: urlOf(source, id, apiUrl), chunk, score },
  }));
  return { mode, results: shown, ...(next === undefined ? {} : { next }) };
}

async function fetchDocument({ id, offset, limit }: FetchArguments, apiUrl: string): Promise<FetchResult> {
  const { title, text: whole = "", source, status, metadata } = await vectors.getDocument({ id });
  const { text, next } = pageOf(whole, offset, limit);
  const url = urlOf(source, id, apiUrl);
  const more = next === undefined ? {} : { next };
  return { id, title, text, url, source, status, metadata, characters: whole.length, ...more };
}

const ingest = (document: IngestArguments): Promise<IngestResult> => vectors.ingest(document);

function urlOf(source: string, id: string, apiUrl: string): string {
  const protocol = URL.canParse(source) ? new URL(source).protocol : "";
  if (protocol === "https:" || protocol === "http:") return source;
  return new URL(`/vectors/documents/${encodeURIComponent(id)}`, apiUrl).href;
}

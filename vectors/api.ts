// The endpoints of the vectors service: who may call, and the mapping to the rules.
import { api, type Query } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { isUuid } from "../db/ids";
import { parseInput } from "../security/input";
import { currentPrincipal } from "../security/principal";
import { activeEmbedder } from "./active-embedder";
import { errors } from "./errors";
import { ingest as ingestDocument } from "./ingestion";
import { ingestionInput, searchInput } from "./input";
import { searchChunks } from "./search";
import { documentFind } from "./store/documents";
import { purgeOrphans } from "./upkeep";

interface IngestRequest {
  /** What the document is to you: a path, an address. Sending it again replaces the document. */
  source: string & MinLen<1> & MaxLen<512>;
  /** Otherwise the first level-1 heading. */
  title?: string & MinLen<1> & MaxLen<300>;
  /** Markdown or plain text. */
  text: string & MinLen<1> & MaxLen<500000>;
  /** At most 32 values. */
  metadata?: { [key: string]: string | number | boolean };
}

interface IngestResponse {
  id: string;
  /** "ready" when every chunk can be found; "pending" until then. */
  status: "pending" | "ready" | "failed";
}

/** Stores a document: splits it, embeds what is new of it in the background. */
export const ingest = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/vectors/documents",
    tags: ["can:document.write", "limit:ingest"],
  },
  async (req: IngestRequest): Promise<IngestResponse> =>
    ingestDocument(currentPrincipal(), parseInput(ingestionInput, req), activeEmbedder().model),
);

interface DocumentRequest {
  id: string;
}

interface DocumentResponse {
  id: string;
  source: string;
  status: "pending" | "ready" | "failed";
  /** Number of pieces the document was split into. */
  chunks: number;
}

/** A document's state. */
export const getDocument = api(
  { expose: true, auth: true, method: "GET", path: "/vectors/documents/:id", tags: ["can:document.read"] },
  async (req: DocumentRequest): Promise<DocumentResponse> => {
    const document = isUuid(req.id) ? await documentFind(currentPrincipal(), req.id) : undefined;
    if (document === undefined) throw errors.document_not_found();
    return { id: document.id, source: document.source, status: document.status, chunks: document.chunkCount };
  },
);

interface SearchRequest {
  /** A question or some words; "quoted words" and -excluded ones as in web search. */
  q: Query<string & MinLen<1> & MaxLen<1000>>;
  /** How many results, 10 if not given. */
  k?: Query<number & Min<1> & Max<50>>;
}

interface SearchResult {
  documentId: string;
  source: string;
  text: string;
  /** 0 to 1; comparable within one answer only. */
  score: number;
}

interface SearchResponse {
  results: SearchResult[];
}

/** The pieces of the organisation's documents that fit a question best, by meaning and by words. */
export const search = api(
  { expose: true, auth: true, method: "GET", path: "/vectors/search", tags: ["can:document.read", "limit:search"] },
  async (req: SearchRequest): Promise<SearchResponse> => {
    const { q } = parseInput(searchInput, { q: req.q });
    return {
      results: await searchChunks(currentPrincipal(), { text: q, k: Math.floor(req.k ?? 10) }, activeEmbedder()),
    };
  },
);

/** Daily upkeep: embeddings of texts that are in no document any more. */
export const maintain = api({ expose: false, method: "POST", path: "/vectors/maintain" }, async (): Promise<void> => {
  await purgeOrphans(new Date());
});

export const maintainDaily = new CronJob("vectors-maintain", {
  title: "Remove embeddings no document needs",
  every: "24h",
  endpoint: maintain,
});

// The endpoints about many documents: a batch of them, and how much an organisation holds.
import { api } from "encore.dev/api";
import type { MaxLen, MinLen } from "encore.dev/validate";
import { charging } from "../../security/charges";
import { currentPrincipal } from "../../security/principal";
import { activeEmbedder } from "../active-embedder";
import { ingestBatch } from "../batch";
import { ingestionPoints } from "../ingestion";
import { usageFind } from "../store/usage";

interface BatchDocument {
  /** What the document is to you: a path, an address. Sending it again replaces the document. */
  source: string & MinLen<1> & MaxLen<512>;
  /** Otherwise the first level-1 heading. */
  title?: string & MinLen<1> & MaxLen<300>;
  /** Markdown or plain text. */
  text: string & MinLen<1> & MaxLen<500000>;
  /** At most 32 values. */
  metadata?: { [key: string]: string | number | boolean };
}

interface BatchRequest {
  /** 1 to 100 with different sources, 2 MiB in all. */
  documents: BatchDocument[] & MinLen<1> & MaxLen<100>;
}

interface BatchError {
  /** As `details.reason` of an answer that refuses this document by itself. */
  reason: string;
  message: string;
  /** What is wrong with which field. */
  fields?: { [field: string]: string };
}

interface BatchResult {
  source: string;
  /** Absent when the document was refused. */
  id?: string;
  status?: "pending" | "ready" | "failed";
  error?: BatchError;
}

interface BatchResponse {
  /** What became of each document, in the order they were sent. */
  results: BatchResult[];
}

/** Stores up to 100 documents, each by itself: one that is refused keeps none of the others out. */
export const ingestMany = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/vectors/documents/batch",
    tags: ["can:document.write", "limit:ingest", "idempotent"],
  },
  async ({ documents }: BatchRequest): Promise<BatchResponse> => {
    // The guard has charged one of them already.
    const points = documents.reduce((sum, { text }) => sum + 1 + ingestionPoints(text), -1);
    return charging("ingest", points, async () => ({
      results: await ingestBatch(currentPrincipal(), documents, activeEmbedder().model),
    }));
  },
);

interface UsageResponse {
  /** That were ready once. */
  documents: number;
  chunks: number;
  /** Of their texts, in UTF-8. */
  bytes: number;
}

/** How much the organisation's documents are; follows within seconds. */
export const getUsage = api(
  { expose: true, auth: true, method: "GET", path: "/vectors/usage", tags: ["can:document.read"] },
  async (): Promise<UsageResponse> => usageFind(currentPrincipal()),
);

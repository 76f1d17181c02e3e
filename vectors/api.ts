// The endpoints of the vectors service: who may call, and the mapping to the rules.
import { api, type Query } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { parseCursor } from "../db/cursor";
import { isUuid } from "../db/ids";
import { doEach } from "../db/upkeep";
import { charging } from "../security/charges";
import { parseInput } from "../security/input";
import { currentPrincipal } from "../security/principal";
import { activeEmbedder } from "./active-embedder";
import { deleteDocument } from "./deletion";
import { errors } from "./errors";
import { ingest as ingestDocument, ingestionPoints } from "./ingestion";
import { ingestionInput, listInput, patchInput } from "./input";
import { patchDocument } from "./patching";
import { measureRecall, reportExtension } from "./recall";
import { enqueueResplits } from "./resplitting";
import { waitUntilSettled } from "./settled-wait";
import { shownDocument } from "./shown-document";
import { splitJob } from "./split-job";
import { documentFind, documentList } from "./store/documents";
import { failLostDocuments, purgeOrphans } from "./upkeep";

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
    tags: ["can:document.write", "limit:ingest", "idempotent"],
  },
  async (req: IngestRequest): Promise<IngestResponse> =>
    charging("ingest", ingestionPoints(req.text), () =>
      ingestDocument(currentPrincipal(), parseInput(ingestionInput, req), activeEmbedder().model),
    ),
);

interface ListRequest {
  /** The document of exactly this source. */
  source?: Query<string & MinLen<1> & MaxLen<512>>;
  /** Documents whose source begins so. */
  sourcePrefix?: Query<string & MinLen<1> & MaxLen<512>>;
  status?: Query<"pending" | "ready" | "failed">;
  /** A JSON object: documents whose metadata has all of its values. */
  metadata?: Query<string & MinLen<2> & MaxLen<4096>>;
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface ListedDocument {
  id: string;
  source: string;
  title: string;
  /** Counts up with each text that replaces the one before. */
  version: number;
  status: "pending" | "ready" | "failed";
  /** Number of pieces the document was split into. */
  chunks: number;
  /** Of its text, in UTF-8. */
  bytes: number;
  /** Why it failed, in words. */
  error?: string;
  /** ISO 8601. */
  createdAt: string;
  updatedAt: string;
}

interface ListResponse {
  documents: ListedDocument[];
  /** Absent on the last page. */
  next?: string;
}

/** The organisation's documents, the newest first. */
export const listDocuments = api(
  { expose: true, auth: true, method: "GET", path: "/vectors/documents", tags: ["can:document.read"] },
  async ({ limit, cursor, ...filter }: ListRequest): Promise<ListResponse> => {
    const asked = parseInput(listInput, filter);
    const from = parseCursor(cursor);
    const { rows, next } = await documentList(currentPrincipal(), asked, Math.floor(limit ?? 50), from);
    return { documents: rows.map(shownDocument), ...(next === undefined ? {} : { next }) };
  },
);

interface DocumentRequest {
  id: string;
  /** Whether the answer holds the text as well, which may be long: it does unless this is false. */
  text?: Query<boolean>;
  /** So many seconds at most the answer waits while the document is pending. */
  wait?: Query<number & Min<0> & Max<30>>;
}

interface DocumentResponse {
  id: string;
  source: string;
  title: string;
  /** Counts up with each text that replaces the one before. */
  version: number;
  status: "pending" | "ready" | "failed";
  /** Number of pieces the document was split into. */
  chunks: number;
  /** Of its text, in UTF-8. */
  bytes: number;
  metadata: { [key: string]: string | number | boolean };
  /** As it was sent; absent when it is asked without. */
  text?: string;
  /** Why it failed, in words. */
  error?: string;
  /** ISO 8601. */
  createdAt: string;
  updatedAt: string;
}

/** A document and its state. */
export const getDocument = api(
  { expose: true, auth: true, method: "GET", path: "/vectors/documents/:id", tags: ["can:document.read"] },
  async (req: DocumentRequest): Promise<DocumentResponse> => {
    const principal = currentPrincipal();
    if (isUuid(req.id) && req.wait !== undefined) await waitUntilSettled(principal, req.id, req.wait * 1000);
    const document = isUuid(req.id) ? await documentFind(principal, req.id, req.text ?? true) : undefined;
    if (document === undefined) throw errors.document_not_found();
    const { metadata, text } = document;
    return { ...shownDocument(document), metadata, ...(text === null ? {} : { text }) };
  },
);

interface PatchRequest {
  id: string;
  title?: string & MinLen<1> & MaxLen<300>;
  /** In place of all that the document had; at most 32 values. */
  metadata?: { [key: string]: string | number | boolean };
}

/** Changes a document's title or metadata. Its text stays, and nothing is embedded. */
export const updateDocument = api(
  { expose: true, auth: true, method: "PATCH", path: "/vectors/documents/:id", tags: ["can:document.write"] },
  async ({ id, ...req }: PatchRequest): Promise<DocumentResponse> => {
    const patch = parseInput(patchInput, req);
    const document = isUuid(id) ? await patchDocument(currentPrincipal(), id, patch) : undefined;
    if (document === undefined) throw errors.document_not_found();
    return { ...shownDocument(document), metadata: document.metadata };
  },
);

interface DeleteRequest {
  id: string;
}

/** Removes a document with its pieces. What other documents share with it stays. */
export const removeDocument = api(
  { expose: true, auth: true, method: "DELETE", path: "/vectors/documents/:id", tags: ["can:document.delete"] },
  async (req: DeleteRequest): Promise<void> => {
    const isDeleted = isUuid(req.id) && (await deleteDocument(currentPrincipal(), req.id));
    if (!isDeleted) throw errors.document_not_found();
  },
);

/** Hourly upkeep: embeddings of texts that are in no document any more, documents whose job is lost, texts that an older splitter split, and a look at the graph. */
export const maintain = api({ expose: false, method: "POST", path: "/vectors/maintain" }, async (): Promise<void> => {
  await doEach([
    () => purgeOrphans(new Date()),
    () => failLostDocuments(new Date()),
    () => enqueueResplits(splitJob),
    () => measureRecall(),
    reportExtension,
  ]);
});

export const maintainHourly = new CronJob("vectors-maintain", {
  title: "Remove embeddings no document needs, split again what an older splitter split",
  every: "1h",
  endpoint: maintain,
});

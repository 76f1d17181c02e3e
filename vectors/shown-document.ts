// How a document is shown to its organisation.
import { publicTextOf } from "../events/dead-letters";
import type { DocumentStatus, ListedDocument } from "./store/documents";

export interface ShownDocument {
  id: string;
  source: string;
  title: string;
  version: number;
  status: DocumentStatus;
  chunks: number;
  bytes: number;
  error?: string;
  createdAt: string;
  updatedAt: string;
}

/** The reason of a failure in words, as dead letters have it: nothing of the internal error is in it. */
export function shownDocument(document: ListedDocument): ShownDocument {
  const { id, source, title, version, status, chunkCount, bytes, reason, createdAt, updatedAt } = document;
  return {
    id,
    source,
    title,
    version,
    status,
    chunks: chunkCount,
    bytes,
    ...(reason === null ? {} : { error: publicTextOf(reason) }),
    createdAt: createdAt.toISOString(),
    updatedAt: updatedAt.toISOString(),
  };
}

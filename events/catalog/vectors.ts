// Events of the vectors service.
import { z } from "zod";
import { defineEvent } from "../event";

/** A document's text was stored and split; `missing` of its chunks have no embedding yet. */
export const documentIngested = defineEvent({
  type: "vectors.document.ingested",
  version: 1,
  payload: z.object({
    documentId: z.uuid(),
    source: z.string(),
    documentVersion: z.int().positive(),
    chunks: z.int().nonnegative(),
    missing: z.int().nonnegative(),
  }),
});

/** Every chunk of this version of the document can be found by search. */
export const documentReady = defineEvent({
  type: "vectors.document.ready",
  version: 1,
  payload: z.object({
    documentId: z.uuid(),
    source: z.string(),
    documentVersion: z.int().positive(),
    chunks: z.int().nonnegative(),
  }),
});

/** The document was given up after its last attempt; sending it again tries anew. */
export const documentFailed = defineEvent({
  type: "vectors.document.failed",
  version: 1,
  payload: z.object({
    documentId: z.uuid(),
    source: z.string(),
    documentVersion: z.int().positive(),
    reason: z.string(),
  }),
});

/** The document and its text are gone; nothing of it is found any more. */
export const documentDeleted = defineEvent({
  type: "vectors.document.deleted",
  version: 1,
  payload: z.object({ documentId: z.uuid(), source: z.string(), documentVersion: z.int().positive() }),
});

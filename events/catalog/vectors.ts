// Events of the vectors service.
import { z } from "zod";
import { defineEvent } from "../event";

/** A document was stored and awaits its chunks and embeddings. */
export const documentSubmitted = defineEvent({
  type: "vectors.document.submitted",
  version: 1,
  payload: z.object({ documentId: z.uuid(), source: z.string() }),
});

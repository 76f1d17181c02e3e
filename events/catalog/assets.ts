// Events of the assets service.
import { z } from "zod";
import { defineEvent } from "../event";

const file = { assetId: z.uuid(), assetVersion: z.int().positive(), name: z.string() };

/** A file, or another version of one, is kept. `sha256` is of its bytes, hexadecimal. */
export const assetUploaded = defineEvent({
  type: "assets.asset.uploaded",
  version: 1,
  payload: z.object({
    ...file,
    mediaType: z.string(),
    bytes: z.int().positive(),
    sha256: z.string().length(64),
  }),
});

/** A file is gone with all its versions, and what was made of it soon is. */
export const assetDeleted = defineEvent({ type: "assets.asset.deleted", version: 1, payload: z.object(file) });

// A file's document: how the jobs of this room reach the vectors service. They act as the organisation's own service, with the
// rights that this takes and no other; who caused it stands beside.
import { vectors } from "~encore/clients";
import { idFromParts } from "../../db/ids";
import { reasonOf } from "../../security/errors";
import type { AuthData, TenantId } from "../../security/principal";
import { wellFormed } from "../../security/well-formed";

export interface Acting {
  tenantId: TenantId;
  /** As in the headers of messages. */
  actor: string;
}

const SCOPE = "document.read document.write document.delete";
const SOURCE_MAX_CHARS = 512;

function authDataOf({ tenantId, actor }: Acting): AuthData {
  return { userID: idFromParts("assets", tenantId), tenantId, kind: "service", scope: SCOPE, actor };
}

/** How the sources of all documents of a file begin. */
export const sourcesOf = (assetId: string): string => `assets/${assetId}/`;

/** One document per file, whatever version it has. */
export const documentSource = (assetId: string, name: string): string =>
  wellFormed(`${sourcesOf(assetId)}${name}`.slice(0, SOURCE_MAX_CHARS));

export interface AssetDocument {
  source: string;
  title: string;
  text: string;
  metadata: Record<string, string | number | boolean>;
}

/** Makes a file's document, or replaces it; resolves with its id. @throws APIError as vectors.ingest */
export async function putDocument(acting: Acting, document: AssetDocument): Promise<string> {
  const { id } = await vectors.ingest(document, { authData: authDataOf(acting) });
  return id;
}

/** Removes the documents whose sources begin so, if there are any: all that can be of one file. */
export async function removeDocuments(acting: Acting, sourcePrefix: string): Promise<void> {
  const authData = authDataOf(acting);
  let cursor: string | undefined;
  do {
    const asked = { sourcePrefix, ...(cursor === undefined ? {} : { cursor }) };
    const { documents, next } = await vectors.listDocuments(asked, { authData });
    for (const { id } of documents)
      await vectors.removeDocument({ id }, { authData }).catch((error: unknown) => {
        // Another attempt was faster.
        if (reasonOf(error) !== "document_not_found") throw error;
      });
    cursor = next;
  } while (cursor !== undefined);
}

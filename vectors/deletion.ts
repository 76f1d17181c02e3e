// Removing a document. Its embeddings stay for a day: other documents may share them, and the same text sent again finds
// them. A job that is embedding it meanwhile finds nothing left to do and ends.
import { withTenant } from "../db/tenant";
import { documentDeleted } from "../events/catalog/vectors";
import { emit } from "../events/outbox";
import type { Principal } from "../security/principal";
import { chunkDeleteOfDocument, documentDelete, documentFindForUpdate } from "./store/documents";

/** False when the caller's organisation has no such document. Waits for an ingestion of it that is being stored. */
export function deleteDocument(principal: Principal, id: string): Promise<boolean> {
  const { tenantId } = principal;
  return withTenant(principal, async (tx) => {
    const document = await documentFindForUpdate(tx, tenantId, id);
    if (document === undefined) return false;
    await chunkDeleteOfDocument(tx, tenantId, id, []);
    await documentDelete(tx, tenantId, id);
    const facts = { documentId: id, source: document.source, documentVersion: document.version };
    await emit(tx, documentDeleted, facts, { aggregateType: "document", aggregateId: id });
    return true;
  });
}

// Removing a document. Its embeddings stay for a day: other documents may share them, and the same text sent again finds
// them. A job that is embedding it meanwhile finds nothing left to do and ends.
import { defineAction } from "../audit/action";
import { record } from "../audit/record";
import { withTenant } from "../db/tenant";
import { documentDeleted } from "../events/catalog/vectors";
import { emit } from "../events/outbox";
import type { Principal } from "../security/principal";
import { chunkDeleteOfDocument, documentDelete, documentFindForUpdate } from "./store/documents";

// A source may be a file's name, and that may name a person.
const deleted = defineAction("vectors.document.deleted", { version: "plain", source: "personal" });

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
    const { version, source } = document;
    await record(tx, deleted, { target: { type: "document", id }, fields: { version, source } });
    return true;
  });
}

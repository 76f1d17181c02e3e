// Changing what describes a document. Its text stays, so nothing is split or embedded: a title is no part of a content.
import { withTenant, type TenantScope } from "../db/tenant";
import { chunkSetTitle, documentPatch, type ShownDocument } from "./store/documents";

export interface DocumentPatch {
  title?: string | undefined;
  /** In place of all that it had. */
  metadata?: Record<string, string | number | boolean> | undefined;
}

/** Undefined when the tenant has no such document. What an ingestion is storing meanwhile waits for it, or it for that. */
export function patchDocument(
  scope: TenantScope,
  id: string,
  patch: DocumentPatch,
): Promise<ShownDocument | undefined> {
  const { tenantId } = scope;
  return withTenant(scope, async (tx) => {
    const document = await documentPatch(tx, tenantId, id, patch);
    if (document !== undefined && patch.title !== undefined) await chunkSetTitle(tx, tenantId, id, patch.title);
    return document;
  });
}

// Recording: in the transaction of what is recorded, so that neither is there without the other.
import { newId } from "../db/ids";
import type { Tx } from "../db/tenant";
import type { TenantId } from "../security/principal";
import { currentProvenance } from "../security/provenance";
import { fieldsOfClass, type AuditAction, type FieldClass, type FieldValue } from "./action";
import { linkOf, personalDigest } from "./chain";
import { auditKey, sealKeys } from "./key";
import { nextEndSeal } from "./seal";
import { entryAdd, headAdvance } from "./store";

export interface AuditFacts<F extends Record<string, FieldClass>> {
  /** What was acted upon. */
  target?: { type: string; id: string };
  fields: { readonly [K in keyof F]: FieldValue };
  /** Whose log it goes into; must be said in a system transaction, which belongs to no tenant. */
  tenantId?: TenantId;
}

/**
 * Adds an entry to the tenant's log: who acts and what it follows from is known from the request, event or job that is
 * being handled. Entries of one tenant are written one after the other until their transactions end, so call it last.
 * @throws Error in a system transaction when `tenantId` is not given.
 */
export async function record<F extends Record<string, FieldClass>>(
  tx: Tx,
  action: AuditAction<F>,
  { target, fields, tenantId = tx.tenantId ?? undefined }: AuditFacts<F>,
): Promise<void> {
  if (tenantId === undefined) throw new Error(`${action.name} is recorded without saying whose log it goes into`);
  const id = newId();
  const key = auditKey();
  const personal = fieldsOfClass(action, fields, "personal");
  const { actor, correlationId } = currentProvenance(id);
  const { seq, atMicros, before, ...sealed } = await headAdvance(tx, tenantId);
  const entry = {
    tenantId,
    seq,
    id,
    atMicros,
    action: action.name,
    actor,
    targetType: target?.type ?? null,
    targetId: target?.id ?? null,
    correlationId,
    fields: fieldsOfClass(action, fields, "plain"),
    personalDigest: personalDigest(key, id, personal),
  };
  const hash = linkOf(key, before, entry);
  await entryAdd(
    tx,
    { ...entry, personal, hash },
    nextEndSeal(sealKeys(), { tenantId, seq, hash }, { before, ...sealed }),
  );
}

// What a change of an account's factors leaves behind, in its transaction: an event, a mail to the owner (NIST SP 800-63B-4
// §4.6), and an entry in the log of the organisation in which it happened, or the installation's (account-log.ts).
import { defineAction, type AuditAction, type FieldValue } from "../../audit/action";
import type { Tx } from "../../db/tenant";
import { factorAdded, factorRemoved, recoveryCodesCreated, recoveryCodeUsed } from "../../events/catalog/auth";
import type { EventDefinition } from "../../events/event";
import { emit } from "../../events/outbox";
import { tenantIdFrom } from "../../security/principal";
import { onBehalfOf } from "../../security/provenance";
import { recordOfAccount, type Whose } from "../account-log";
import { requestMail } from "../jobs";
import type { NoticeKind } from "../mail-texts";

export interface ChangedFactor {
  factor: "totp" | "passkey";
  /** Of a passkey. */
  factorId: string | null;
}

const added = defineAction("auth.factor.added", { factor: "plain", factorId: "plain" });
const removed = defineAction("auth.factor.removed", { factor: "plain", factorId: "plain" });
const codesCreated = defineAction("auth.recovery_codes.created", {});
const codeUsed = defineAction("auth.recovery_code.used", { left: "plain" });

const about = ({ accountId, tenantId }: Whose): Parameters<typeof emit>[3] => ({
  aggregateType: "user",
  aggregateId: accountId,
  tenantId: tenantId === null ? null : tenantIdFrom(tenantId),
});

interface Change<Facts extends Readonly<Record<string, FieldValue>>> {
  event: EventDefinition<string, number, { userId: string } & Facts>;
  /** Null for what needs none. */
  mail: NoticeKind | null;
  action: AuditAction<{ [K in keyof Facts]: "plain" }>;
  facts: Facts;
}

/** The owner acts, also where no access token says so yet. */
export function tell<Facts extends Readonly<Record<string, FieldValue>>>(
  tx: Tx,
  whose: Whose,
  { event, mail, action, facts }: Change<Facts>,
): Promise<void> {
  const { accountId } = whose;
  return onBehalfOf(`user:${accountId}`, async () => {
    await emit(tx, event, { userId: accountId, ...facts }, about(whose));
    if (mail !== null) await requestMail(tx, { kind: mail, accountId });
    await recordOfAccount(tx, whose, action, facts);
  });
}

export function recordFactorAdded(tx: Tx, whose: Whose, { factor, factorId }: ChangedFactor): Promise<void> {
  return tell(tx, whose, { event: factorAdded, mail: "factor-added", action: added, facts: { factor, factorId } });
}

/** `mail`: null where who asks is told at once. */
export function recordFactorRemoved(
  tx: Tx,
  whose: Whose,
  { factor, factorId }: ChangedFactor,
  mail: NoticeKind | null = "factor-removed",
): Promise<void> {
  return tell(tx, whose, {
    event: factorRemoved,
    mail,
    action: removed,
    facts: { factor, factorId },
  });
}

export function recordRecoveryCodesCreated(tx: Tx, whose: Whose): Promise<void> {
  return tell(tx, whose, {
    event: recoveryCodesCreated,
    mail: "recovery-codes-created",
    action: codesCreated,
    facts: {},
  });
}

export function recordRecoveryCodeUse(tx: Tx, whose: Whose, left: number): Promise<void> {
  return tell(tx, whose, { event: recoveryCodeUsed, mail: "recovery-code-used", action: codeUsed, facts: { left } });
}

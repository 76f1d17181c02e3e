// What a change of an account's factors leaves behind, in its transaction: an event, a mail to the owner (NIST SP 800-63B-4
// §4.6), and an entry in the log of the organisation in which it happened; of an account that has chosen none, no entry.
import { defineAction } from "../../audit/action";
import { record } from "../../audit/record";
import type { Tx } from "../../db/tenant";
import { factorAdded, factorRemoved, recoveryCodesCreated, recoveryCodeUsed } from "../../events/catalog/auth";
import { emit } from "../../events/outbox";
import { tenantIdFrom } from "../../security/principal";
import { onBehalfOf } from "../../security/provenance";
import { requestMail } from "../jobs";

interface Whose {
  accountId: string;
  tenantId: string | null;
}

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

const inLog = ({ accountId, tenantId }: Whose & { tenantId: string }) => ({
  tenantId: tenantIdFrom(tenantId),
  target: { type: "account", id: accountId },
});

const isInOrganisation = (whose: Whose): whose is Whose & { tenantId: string } => whose.tenantId !== null;

/** The owner acts, also where no access token says so yet. */
const asOwner = <T>({ accountId }: Whose, act: () => Promise<T>): Promise<T> => onBehalfOf(`user:${accountId}`, act);

export function recordFactorAdded(tx: Tx, whose: Whose, changed: ChangedFactor): Promise<void> {
  return asOwner(whose, async () => {
    await emit(tx, factorAdded, { userId: whose.accountId, ...changed }, about(whose));
    await requestMail(tx, { kind: "factor-added", accountId: whose.accountId });
    if (isInOrganisation(whose)) await record(tx, added, { ...inLog(whose), fields: { ...changed } });
  });
}

export function recordFactorRemoved(tx: Tx, whose: Whose, changed: ChangedFactor): Promise<void> {
  return asOwner(whose, async () => {
    await emit(tx, factorRemoved, { userId: whose.accountId, ...changed }, about(whose));
    await requestMail(tx, { kind: "factor-removed", accountId: whose.accountId });
    if (isInOrganisation(whose)) await record(tx, removed, { ...inLog(whose), fields: { ...changed } });
  });
}

export function recordRecoveryCodesCreated(tx: Tx, whose: Whose): Promise<void> {
  return asOwner(whose, async () => {
    await emit(tx, recoveryCodesCreated, { userId: whose.accountId }, about(whose));
    await requestMail(tx, { kind: "recovery-codes-created", accountId: whose.accountId });
    if (isInOrganisation(whose)) await record(tx, codesCreated, { ...inLog(whose), fields: {} });
  });
}

export function recordRecoveryCodeUse(tx: Tx, whose: Whose, left: number): Promise<void> {
  return asOwner(whose, async () => {
    await emit(tx, recoveryCodeUsed, { userId: whose.accountId, left }, about(whose));
    await requestMail(tx, { kind: "recovery-code-used", accountId: whose.accountId });
    if (isInOrganisation(whose)) await record(tx, codeUsed, { ...inLog(whose), fields: { left } });
  });
}

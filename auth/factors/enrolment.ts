// An account's factors: adding, removing, and the codes for whoever lost them. Endpoints ask for a fresh session (tag
// `fresh`), which for an account that has a factor was shown with one: nobody adds a factor with a password alone where
// there is one already (supabase/auth #1439).
// States of the codes that count with the clock: none → waiting (a secret was shown) → in use (a code of it came back).
import { randomBytes } from "node:crypto";
import { cfg } from "../../config";
import { withSystem, type Tx } from "../../db/tenant";
import { databaseClock } from "../../security/database-clock";
import type { Caller } from "../../security/principal";
import { open, seal } from "../../security/envelope";
import { whose } from "../account-log";
import { errors } from "../errors";
import { assertSessionLives, endSessions, lockLiving } from "../session-end";
import { assertSignInMethod } from "../sign-in-methods";
import { accountFind, accountLock } from "../store/accounts";
import {
  factorsAreReplaced,
  factorsFind,
  factorsFindIn,
  factorsForgetHeld,
  factorsNoteHeld,
  recoveryCodesDelete,
  recoveryCodesPut,
  totpBegin,
  totpConfirm,
  totpDelete,
  totpDeleteSince,
  totpFindForUpdate,
  type FactorsRow,
} from "../store/factors";
import { passkeyDeleteOfAccount, passkeyDeleteSince, passkeyDemoteNewest } from "../store/passkeys";
import { sessionProof } from "../store/sessions";
import { totpKey } from "./keys";
import { BY_CODE, BY_PASSKEY, BY_RECOVERY_CODE } from "./methods";
import { recordFactorAdded, recordFactorRemoved, recordRecoveryCodesCreated, type ChangedFactor } from "./notices";
import { createRecoveryCodes, hashRecoveryCode } from "./recovery-codes";
import { methodsOf } from "./requirement";
import { describeSecret, matchStep, SECRET_BYTES } from "./totp";

/** A secret that was shown longer ago is not confirmed any more. */
const PENDING_SECONDS = 900;
const TOTP: ChangedFactor = { factor: "totp", factorId: null };

export const listFactors = (caller: Caller): Promise<FactorsRow> => factorsFind(caller.subjectId);

/** A new secret, shown this once. @throws APIError totp_in_use. */
export async function beginTotp(caller: Caller): Promise<{ secret: string; uri: string }> {
  const accountId = caller.subjectId;
  const account = await accountFind(accountId);
  if (account === undefined) throw errors.invalid_token({ internal: "the account is gone" });
  const secret = randomBytes(SECRET_BYTES);
  const secretSealed = seal(totpKey(), secret, accountId);
  const isWaiting = await withSystem("begin-totp", async (tx) => {
    await lockLiving(tx, caller);
    return totpBegin(tx, { accountId, secretSealed });
  });
  if (!isWaiting) throw errors.totp_in_use();
  return describeSecret(secret, { issuer: cfg.auth.issuer, email: account.email });
}

/** With a code of the secret that waits. Resolves with recovery codes for an account that has none. @throws APIError totp_not_begun, second_factor_invalid. */
export async function confirmTotp(caller: Caller, code: string, now: Date): Promise<string[] | undefined> {
  const accountId = caller.subjectId;
  return withSystem("confirm-totp", async (tx) => {
    await accountLock(tx, accountId);
    const row = await totpFindForUpdate(tx, accountId, PENDING_SECONDS);
    if (row === undefined || row.isConfirmed || row.isStale) throw errors.totp_not_begun();
    const step = matchStep(open(totpKey(), row.secretSealed, accountId), code, databaseClock.at(now), null);
    if (step === undefined) throw errors.second_factor_invalid();
    if (!(await totpConfirm(tx, { accountId, step }))) throw errors.totp_not_begun();
    return afterAddition(tx, caller, TOTP);
  });
}

/** @throws APIError factor_not_found. */
export async function removeTotp(caller: Caller): Promise<void> {
  const accountId = caller.subjectId;
  await withSystem("remove-totp", async (tx) => {
    await accountLock(tx, accountId);
    factorsNoteHeld(tx, accountId);
    if (!(await totpDelete(tx, accountId))) throw errors.factor_not_found();
    await afterRemoval(tx, caller, TOTP);
  });
}

/** Ten new codes; those of before are gone. @throws APIError factor_not_found for an account without a second factor. */
export async function replaceRecoveryCodes(caller: Caller): Promise<string[]> {
  const accountId = caller.subjectId;
  return withSystem("replace-recovery-codes", async (tx) => {
    await accountLock(tx, accountId);
    if (methodsOf(await factorsFindIn(tx, accountId)).length === 0) throw errors.factor_not_found();
    await assertSessionLives(tx, caller);
    const codes = await putRecoveryCodes(tx, accountId);
    await recordRecoveryCodesCreated(tx, whose(caller));
    return codes;
  });
}

/** The account has one factor more. Resolves with recovery codes for one that has none. The caller holds accountLock. */
export async function afterAddition(tx: Tx, caller: Caller, changed: ChangedFactor): Promise<string[] | undefined> {
  const accountId = caller.subjectId;
  const codes = await firstRecoveryCodes(tx, accountId);
  await endOthers(tx, caller);
  const { totpSince, passkeys } = await factorsFindIn(tx, accountId);
  const isOnlyOne = passkeys + (totpSince === null ? 0 : 1) === 1;
  if (isOnlyOne && !(await hasShownFactor(tx, caller))) factorsForgetHeld(tx, accountId);
  await recordFactorAdded(tx, whose(caller), changed);
  return codes;
}

const FACTORS = new Set([...BY_CODE, ...BY_PASSKEY, ...BY_RECOVERY_CODE]);

/**
 * Whether the caller's session showed a factor of the account. Replacing the only one takes removing it first, and who adds the other
 * without having shown the one before may be somebody who knows the password alone.
 */
async function hasShownFactor(tx: Tx, { subjectId: accountId, sessionId: id = "" }: Caller): Promise<boolean> {
  const proof = id === "" ? undefined : await sessionProof(tx, { id, accountId });
  return proof?.amr.some((method) => FACTORS.has(method)) ?? false;
}

/** For the first factor of an account. The caller holds accountLock. */
async function firstRecoveryCodes(tx: Tx, accountId: string): Promise<string[] | undefined> {
  const { recoveryCodesLeft } = await factorsFindIn(tx, accountId);
  return recoveryCodesLeft > 0 ? undefined : putRecoveryCodes(tx, accountId);
}

async function putRecoveryCodes(tx: Tx, accountId: string): Promise<string[]> {
  const codes = createRecoveryCodes();
  const hashes = codes.map((code) => hashRecoveryCode(code)).filter((hash) => hash !== undefined);
  await recoveryCodesPut(tx, accountId, hashes);
  return codes;
}

/** The account has one factor less: with the last go the recovery codes, which are no factor by themselves. */
export async function afterRemoval(tx: Tx, caller: Caller, changed: ChangedFactor): Promise<void> {
  const accountId = caller.subjectId;
  if (methodsOf(await factorsFindIn(tx, accountId)).length === 0) await recoveryCodesDelete(tx, accountId);
  await assertSignInMethod(tx, accountId);
  await endOthers(tx, caller);
  await recordFactorRemoved(tx, whose(caller), changed);
}

/**
 * Sign-ins that know nothing of the change end (ASVS 5.0 7.4.3): one of them may be why it was made. So the caller's own must be
 * live, and the caller holds accountLock. @throws APIError invalid_token.
 */
export async function endOthers(tx: Tx, caller: Caller): Promise<void> {
  await assertSessionLives(tx, caller);
  const { subjectId: accountId, sessionId } = caller;
  const others = { accountId, which: "others", signInOf: sessionId ?? null, reason: "factor_change" } as const;
  await endSessions(tx, others);
}

export interface ForgottenFactors {
  passkeys: { id: string; name: string }[];
  /** Whether the codes of an app were. */
  totp: boolean;
  recoveryCodes: number;
}

/**
 * Removes the factors that were added since, and all recovery codes: nobody can tell since when they are there. For an account that
 * goes back to what it was (credentials.ts). One that had a factor then, all of which were replaced since, keeps one, the app's codes or
 * its newest passkey, and the recovery codes: whoever replaced them had shown one, and who reads its mails alone had not. Kept, none
 * signs in by itself. The caller holds accountLock.
 */
export async function forgetFactorsSince(tx: Tx, accountId: string, since: Date): Promise<ForgottenFactors> {
  const whoseOf = { accountId, tenantId: null };
  const areReplaced = await factorsAreReplaced(tx, accountId, since);
  const keepsTotp = areReplaced && (await factorsFindIn(tx, accountId)).totpSince !== null;
  const totp = !keepsTotp && (await totpDeleteSince(tx, accountId, since));
  if (totp) await recordFactorRemoved(tx, whoseOf, TOTP, null);
  const kept = areReplaced && !keepsTotp ? await passkeyDemoteNewest(tx, accountId) : undefined;
  const passkeys = await passkeyDeleteSince(tx, accountId, since, kept);
  for (const { id } of passkeys) await recordFactorRemoved(tx, whoseOf, { factor: "passkey", factorId: id }, null);
  return { totp, passkeys, recoveryCodes: areReplaced ? 0 : await recoveryCodesDelete(tx, accountId) };
}

/** For an account that changes hands (credentials.ts). */
export async function forgetFactors(tx: Tx, accountId: string): Promise<void> {
  factorsForgetHeld(tx, accountId);
  await totpDelete(tx, accountId);
  await passkeyDeleteOfAccount(tx, accountId);
  await recoveryCodesDelete(tx, accountId);
}

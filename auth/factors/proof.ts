// Checking what is shown besides a password, in the transaction of what it permits. What is used up there is used up only
// with it; what was wrong is counted there too, so nothing here throws for a wrong proof: the count must be committed.
import { recordRecoveryCodeUse } from "./notices";
import { open } from "../../security/envelope";
import { databaseClock } from "../../security/database-clock";
import type { Tx } from "../../db/tenant";
import { logger } from "../../telemetry/logger";
import { recoveryCodeUse, totpCountFailure, totpFindForUpdate, totpForgetFailures, totpUse } from "../store/factors";
import { passkeyFindForUpdate, passkeySetUsed } from "../store/passkeys";
import { totpKey } from "./keys";
import { BY_CODE, BY_PASSKEY, BY_RECOVERY_CODE } from "./methods";
import { hashRecoveryCode } from "./recovery-codes";
import { matchStep } from "./totp";
import { checkAssertion, type Asserted, type PasskeyAssertion } from "./webauthn";

/** Exactly one of them. */
export interface Proof {
  code?: string | undefined;
  recoveryCode?: string | undefined;
  passkey?: PasskeyAssertion | undefined;
}

/** Of whom, and in which organisation's log it is told. */
export interface Prover {
  accountId: string;
  tenantId: string | null;
}

/** Wrong codes in a row after which only another factor helps (NIST SP 800-63B-4 §3.2.2). */
export const CODE_FAILURES_MAX = 100;

const log = logger("auth");

/** How it was shown (`amr`) for the challenge of this text; undefined when it was not. */
export function checkProof(
  tx: Tx,
  prover: Prover,
  proof: Proof & { challenge?: string | undefined },
  now: Date,
): Promise<readonly string[] | undefined> {
  if (proof.code !== undefined) return checkCode(tx, prover.accountId, proof.code, now);
  if (proof.recoveryCode !== undefined) return checkRecoveryCode(tx, prover, proof.recoveryCode);
  const { passkey, challenge } = proof;
  if (passkey === undefined || challenge === undefined) return Promise.resolve(undefined);
  return checkPasskey(tx, prover.accountId, challenge, passkey).then((asserted) => asserted && BY_PASSKEY);
}

/** Whether a passkey of this account signed the challenge. */
export async function checkPasskey(
  tx: Tx,
  accountId: string,
  challenge: string,
  passkey: PasskeyAssertion,
): Promise<Asserted | undefined> {
  const known = await passkeyFindForUpdate(tx, { accountId, credentialId: Buffer.from(passkey.id, "base64url") });
  const asserted = known && (await checkAssertion(challenge, passkey, { ...known, accountId }));
  if (known === undefined || asserted === undefined) return undefined;
  const { signCount, isBackedUp } = asserted;
  await passkeySetUsed(tx, { id: known.id, signCount, isBackedUp });
  await totpForgetFailures(tx, accountId);
  return asserted;
}

async function checkCode(tx: Tx, accountId: string, code: string, now: Date): Promise<readonly string[] | undefined> {
  const row = await totpFindForUpdate(tx, accountId, 0);
  if (row === undefined || !row.isConfirmed || row.failures >= CODE_FAILURES_MAX) return undefined;
  const at = databaseClock.at(now);
  const step = matchStep(open(totpKey(), row.secretSealed, accountId), code, at, row.lastStep);
  if (step !== undefined && (await totpUse(tx, { accountId, step }))) return BY_CODE;
  const failures = await totpCountFailure(tx, accountId);
  log.warn({ userId: accountId, failures }, "a wrong code of a second factor");
  return undefined;
}

async function checkRecoveryCode(tx: Tx, prover: Prover, text: string): Promise<readonly string[] | undefined> {
  const { accountId } = prover;
  const hash = hashRecoveryCode(text);
  const left = hash && (await recoveryCodeUse(tx, { accountId, hash }));
  if (left === undefined) return undefined;
  await totpForgetFailures(tx, accountId);
  await recordRecoveryCodeUse(tx, prover, left);
  return BY_RECOVERY_CODE;
}

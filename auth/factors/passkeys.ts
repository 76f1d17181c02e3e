// An account's passkeys: adding, naming, removing. Signing in with one is in passkey-sign-in.ts, showing one in proof.ts.
// An account that has a passkey asks for a second factor at sign-in with the password: else whoever got the password would
// pass by the passkey.
import { z } from "zod";
import { newId } from "../../db/ids";
import { withSystem } from "../../db/tenant";
import { parseInput } from "../../security/input";
import type { Caller } from "../../security/principal";
import { errors } from "../errors";
import { lockLiving } from "../session-end";
import { accountFind, accountLock } from "../store/accounts";
import { challengeConsume, factorsNoteHeld } from "../store/factors";
import {
  passkeyCount,
  passkeyDelete,
  passkeyInsert,
  passkeyList,
  passkeyRename,
  type PasskeyRow,
} from "../store/passkeys";
import { createChallenge, readChallenge } from "./challenge";
import { afterAddition, afterRemoval } from "./enrolment";
import { checkRegistration, registrationOptions, type PasskeyAttestation } from "./webauthn";

export const PASSKEYS_PER_ACCOUNT_MAX = 20;

const passkeyName = z.object({
  name: z.string().trim().min(1, "is empty").max(100, "is longer than 100 characters"),
});

type CreationOptions = Awaited<ReturnType<typeof registrationOptions>>;

export const listPasskeys = (caller: Caller): Promise<PasskeyRow[]> => passkeyList(caller.subjectId);

/** @throws APIError passkeys_not_configured, too_many_passkeys. */
export async function beginPasskey(
  caller: Caller,
  now: Date,
): Promise<{ challenge: string; options: CreationOptions }> {
  const accountId = caller.subjectId;
  const account = await accountFind(accountId);
  if (account === undefined || caller.sessionId === undefined) throw errors.invalid_token({ internal: "no account" });
  const known = await passkeyList(accountId);
  if (known.length >= PASSKEYS_PER_ACCOUNT_MAX) throw errors.too_many_passkeys();
  const challenge = createChallenge("passkey-registration", { accountId, sessionId: caller.sessionId }, now);
  return { challenge, options: await registrationOptions(challenge, { id: accountId, email: account.email }, known) };
}

/**
 * Resolves with recovery codes for an account that has none.
 * @throws APIError challenge_invalid, passkey_invalid, too_many_passkeys, invalid_request.
 */
export async function addPasskey(
  caller: Caller,
  input: { challenge: string; name: string; attestation: PasskeyAttestation },
  now: Date,
): Promise<{ id: string; recoveryCodes?: string[] }> {
  const accountId = caller.subjectId;
  const { name } = parseInput(passkeyName, { name: input.name });
  const challenge = readChallenge("passkey-registration", input.challenge, now);
  if (challenge?.accountId !== accountId || challenge.sessionId !== caller.sessionId) throw errors.challenge_invalid();
  const registered = await checkRegistration(input.challenge, input.attestation);
  if (registered === undefined) throw errors.passkey_invalid();
  const id = newId();
  const recoveryCodes = await withSystem("add-passkey", async (tx) => {
    await accountLock(tx, accountId);
    if (!(await challengeConsume(tx, challenge))) throw errors.challenge_invalid({ internal: "used" });
    if ((await passkeyCount(tx, accountId)) >= PASSKEYS_PER_ACCOUNT_MAX) throw errors.too_many_passkeys();
    const isNew = await passkeyInsert(tx, { ...registered, id, accountId, name });
    if (!isNew) throw errors.passkey_invalid({ internal: "registered already" });
    return afterAddition(tx, caller, { factor: "passkey", factorId: id });
  });
  return { id, ...(recoveryCodes === undefined ? {} : { recoveryCodes }) };
}

/** @throws APIError factor_not_found, also for somebody else's; invalid_request. */
export async function renamePasskey(caller: Caller, id: string, input: { name: string }): Promise<void> {
  const { name } = parseInput(passkeyName, input);
  const accountId = caller.subjectId;
  await withSystem("rename-passkey", async (tx) => {
    await lockLiving(tx, caller);
    if (!(await passkeyRename(tx, { id, accountId, name }))) throw errors.factor_not_found();
  });
}

/** @throws APIError factor_not_found, also for somebody else's. */
export async function removePasskey(caller: Caller, id: string): Promise<void> {
  const accountId = caller.subjectId;
  await withSystem("remove-passkey", async (tx) => {
    await accountLock(tx, accountId);
    factorsNoteHeld(tx, accountId);
    if (!(await passkeyDelete(tx, { id, accountId }))) throw errors.factor_not_found();
    await afterRemoval(tx, caller, { factor: "passkey", factorId: id });
  });
}

// Showing again who one is, within a session: what an endpoint tagged `fresh` asks for (security/admission.ts). The answer
// is another access token; the refresh token stays as it is, so a lost answer costs nothing, and what refreshing answers
// afterwards says the same. Only the session that asks becomes fresh.
// Sources: NIST SP 800-63B-4 §5.2; RFC 9470 (step-up by another access token).
import { cfg } from "../../config";
import { withSystem, type Tx } from "../../db/tenant";
import type { Caller } from "../../security/principal";
import { countAttempt } from "../attempts";
import { errors } from "../errors";
import { checkPassword } from "../passwords";
import { accessTokenOf, type Member } from "../sessions";
import { accountFind, accountFindForUpdate, type OwnAccountRow } from "../store/accounts";
import { factorsFindIn } from "../store/factors";
import { membershipFind } from "../store/memberships";
import { sessionSetAuthenticated } from "../store/sessions";
import { BY_PASSWORD } from "./methods";
import { checkProof, type Proof } from "./proof";
import { methodsOf } from "./requirement";
import { assertOneProof, attemptKey } from "./second-factor";

export interface SteppedUp {
  accessToken: string;
  /** Seconds until the access token expires. */
  expiresIn: number;
}

export interface StepUpInput extends Proof {
  password?: string | undefined;
}

type Shown = Parameters<typeof accessTokenOf>[0];

/**
 * By the password, or, where the account has a second factor, by that: what is fresh was shown with the strongest.
 * @throws APIError invalid_credentials, second_factor_required, second_factor_invalid, rate_limited; invalid_token when
 * the caller's session is over.
 */
export async function stepUp(caller: Caller, input: StepUpInput, now: Date, address: string): Promise<SteppedUp> {
  assertOneProof(input);
  const account = await accountFind(caller.subjectId);
  if (account === undefined) throw errors.invalid_token({ internal: "the account is gone" });
  const { password } = input;
  const shown =
    password === undefined
      ? await byFactor(caller, account.email, input, now, address)
      : await byPassword(caller, account, password, address);
  return { accessToken: await accessTokenOf(shown, now), expiresIn: cfg.auth.accessTokenSeconds };
}

async function byPassword(
  caller: Caller,
  { email, passwordHash }: OwnAccountRow,
  password: string,
  address: string,
): Promise<Shown> {
  const attempt = await countAttempt(email, address);
  if (!(await checkPassword(password, passwordHash))) throw errors.invalid_credentials();
  await attempt.forget();
  return withSystem("step-up", async (tx) => {
    const { passwordHash: present } = (await accountFindForUpdate(tx, caller.subjectId)) ?? {};
    if (present !== passwordHash) throw errors.invalid_credentials({ internal: "changed at the same time" });
    const methods = methodsOf(await factorsFindIn(tx, caller.subjectId));
    if (methods.length > 0) throw errors.second_factor_required({ facts: { methods } });
    return setFresh(tx, caller, email, BY_PASSWORD);
  });
}

async function byFactor(caller: Caller, email: string, proof: Proof, now: Date, address: string): Promise<Shown> {
  const { subjectId: accountId, tenantId } = caller;
  const attempt = await countAttempt(attemptKey(accountId), address);
  const shown = await withSystem("step-up", async (tx) => {
    const amr = await checkProof(tx, { accountId, tenantId }, proof, now);
    return amr && setFresh(tx, caller, email, amr);
  });
  if (shown === undefined) throw errors.second_factor_invalid();
  await attempt.forget();
  return shown;
}

async function setFresh(tx: Tx, caller: Caller, email: string, amr: readonly string[]): Promise<Shown> {
  const { subjectId: accountId, sessionId, tenantId } = caller;
  if (sessionId === undefined) throw errors.invalid_token({ internal: "no session" });
  const { idleSeconds } = cfg.auth;
  const session = await sessionSetAuthenticated(tx, { id: sessionId, accountId, amr, idleSeconds });
  if (session === undefined) throw errors.invalid_token({ internal: "the session is over" });
  const organisation = tenantId === null ? undefined : await membershipFind(tx, { tenantId, accountId });
  const member: Member = { accountId, email, organisation: organisation ?? null };
  return { member, sessionId, authentication: { amr: session.amr, at: session.authenticatedAt } };
}

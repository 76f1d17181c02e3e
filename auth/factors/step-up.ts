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
import { accountFind } from "../store/accounts";
import { membershipFind } from "../store/memberships";
import { sessionSetAuthenticated } from "../store/sessions";
import { BY_PASSWORD } from "./methods";

export interface SteppedUp {
  accessToken: string;
  /** Seconds until the access token expires. */
  expiresIn: number;
}

/** @throws APIError invalid_credentials, rate_limited; invalid_token when the caller's session is over. */
export async function stepUp(
  caller: Caller,
  input: { password: string },
  now: Date,
  address: string,
): Promise<SteppedUp> {
  const account = await accountFind(caller.subjectId);
  if (account === undefined) throw errors.invalid_token({ internal: "the account is gone" });
  const attempt = await countAttempt(account.email, address);
  if (!(await checkPassword(input.password, account.passwordHash))) throw errors.invalid_credentials();
  await attempt.forget();
  const { subjectId: accountId } = caller;
  return answer(caller, { accountId, email: account.email }, BY_PASSWORD, now);
}

async function answer(
  { sessionId, tenantId }: Caller,
  { accountId, email }: { accountId: string; email: string },
  amr: readonly string[],
  now: Date,
): Promise<SteppedUp> {
  if (sessionId === undefined) throw errors.invalid_token({ internal: "no session" });
  const shown = await withSystem("step-up", async (tx: Tx) => {
    const { idleSeconds } = cfg.auth;
    const session = await sessionSetAuthenticated(tx, { id: sessionId, accountId, amr, idleSeconds });
    if (session === undefined) throw errors.invalid_token({ internal: "the session is over" });
    const organisation = tenantId === null ? undefined : await membershipFind(tx, { tenantId, accountId });
    const member: Member = { accountId, email, organisation: organisation ?? null };
    return { member, sessionId, authentication: { amr: session.amr, at: session.authenticatedAt } };
  });
  return { accessToken: await accessTokenOf(shown, now), expiresIn: cfg.auth.accessTokenSeconds };
}

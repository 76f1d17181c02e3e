// Stepping up by what is not kept here: a sign-in at the provider that an account is linked to, asked for anew, and a code that is
// mailed. Neither where the account has a second factor, which is stronger; the code only where there is no password either.
// So every kind of account has a way (auth/__tests__/step-up-ways.test.ts is the table). A provider is believed that it asked
// again by its `auth_time` alone, which `max_age` makes it tell: one that answers from a session of its own, as with
// `prompt=login` alone it could, shows nothing (OpenID Connect Core §3.1.2.1, §3.1.3.7 no. 13; RFC 9470 §4).
import { withSystem, type Tx } from "../../db/tenant";
import { canSendMail, requireMail } from "../../mail/mailer";
import type { Caller } from "../../security/principal";
import { countMail, countOwnAttempt } from "../attempts";
import { errors } from "../errors";
import { requestMail } from "../jobs";
import { claimsOf } from "../oidc/claims";
import { assertMember, assertSpeaksFor } from "../oidc/provisioning";
import { amrOf, vouchOf, type Provider } from "../oidc/provider";
import { oidcClients, type OidcClients } from "../oidc/providers";
import { beginAt, consumeReturn, readReturn, STATE_SECONDS, type Begun } from "../oidc/state";
import { accountFindForUpdate, type AccountRow } from "../store/accounts";
import { factorsFindIn } from "../store/factors";
import { identityFind, identityList, identitySetUsed } from "../store/identities";
import { oneTimeTokenTake } from "../store/one-time-tokens";
import { setFresh, type Shown } from "./fresh";
import { hashMailedCode } from "./mailed-code";
import { BY_MAIL } from "./methods";
import { methodsOf, type Method } from "./requirement";

export type StepUpMethod = Method | "password" | "provider" | "mail";

export interface StepUpWays {
  methods: StepUpMethod[];
  /** For the method `provider`: those that the account is linked to. */
  providers: string[];
  /** Those of them that speak for the account, and not for their organisation alone. */
  ownProviders: string[];
}

/** Clocks of providers differ from ours by so much. */
const CLOCK_SECONDS = 60;
const IDENTITIES_MAX = 20;

/** By what the caller can step up. @throws APIError invalid_token. */
export async function stepUpWays(caller: Caller, clients: OidcClients = oidcClients): Promise<StepUpWays> {
  const linked = new Set((await identityList(caller.subjectId, IDENTITIES_MAX)).map(({ provider }) => provider));
  const isThere = (id: string): Promise<Provider[]> =>
    clients.find(id).then(
      (provider) => [provider],
      () => [],
    );
  const found = (await Promise.all([...linked].map(isThere))).flat();
  const providers = found.map(({ id }) => id);
  const ownProviders = found.flatMap((provider) => (vouchOf(provider) === undefined ? [provider.id] : []));
  return withSystem("step-up", async (tx) => {
    const { account, factors } = await accountOf(tx, caller);
    if (factors.length > 0) return { methods: factors, providers: [], ownProviders: [] };
    const methods: StepUpMethod[] = account.passwordHash === null ? [] : ["password"];
    if (providers.length > 0) methods.push("provider");
    if (isMailable(account) && canSendMail()) methods.push("mail");
    return { methods, providers, ownProviders };
  });
}

const isMailable = ({ passwordHash, isVerified }: AccountRow): boolean => passwordHash === null && isVerified;

async function accountOf(tx: Tx, { subjectId }: Caller): Promise<{ account: AccountRow; factors: Method[] }> {
  const account = await accountFindForUpdate(tx, subjectId);
  if (account === undefined) throw errors.invalid_token({ internal: "the account is gone" });
  return { account, factors: methodsOf(await factorsFindIn(tx, subjectId)) };
}

/** @throws APIError second_factor_required for an account that has one. */
async function accountWithoutFactor(tx: Tx, caller: Caller): Promise<AccountRow> {
  const { account, factors } = await accountOf(tx, caller);
  if (factors.length > 0) throw errors.second_factor_required({ facts: { methods: factors } });
  return account;
}

/** Begins a sign-in at a provider that the account is linked to. @throws APIError oidc_provider_not_found, oidc_unavailable, oidc_failed. */
export async function beginStepUp(
  { subjectId: accountId, sessionId }: Caller,
  { provider: id, browser }: { provider: string; browser: string | undefined },
  now: Date,
  clients: OidcClients = oidcClients,
): Promise<Begun> {
  if (sessionId === undefined) throw errors.invalid_token({ internal: "no session" });
  const linked = await identityList(accountId, IDENTITIES_MAX);
  if (!linked.some(({ provider }) => provider === id)) throw errors.oidc_provider_not_found();
  const provider = await clients.find(id);
  const beginning = { purpose: "oidc-step-up", provider, browser, isFresh: true } as const;
  return beginAt(clients, { ...beginning, caller: { accountId, sessionId } }, now);
}

/** @throws APIError challenge_invalid, oidc_failed, oidc_unavailable, provider_did_not_ask, second_factor_required. */
export async function byProvider(
  caller: Caller,
  back: { url: string; browser: string | undefined },
  now: Date,
  clients: OidcClients = oidcClients,
): Promise<Shown> {
  const { subjectId: accountId, sessionId } = caller;
  const returned = await readReturn(clients, "oidc-step-up", back, now);
  const { challenge, provider } = returned;
  if (challenge.accountId !== accountId || challenge.sessionId !== sessionId)
    throw errors.challenge_invalid({ internal: "begun by somebody else" });
  await consumeReturn(returned);
  const claims = await claimsOf(clients, returned);
  const begunSeconds = challenge.expiresAtMs / 1000 - STATE_SECONDS;
  // Said so that a time that is no number is refused too.
  if (!((claims.authTime ?? NaN) >= begunSeconds - CLOCK_SECONDS)) throw errors.provider_did_not_ask();
  return withSystem("step-up", async (tx) => {
    const { email } = await accountWithoutFactor(tx, caller);
    const { issuer, subject } = claims;
    const known = await identityFind(tx, { provider: provider.id, issuer, subject });
    if (known?.accountId !== accountId) throw errors.oidc_failed({ internal: "somebody else signed in there" });
    const { tenantId } = provider;
    if (tenantId !== undefined) {
      await assertSpeaksFor(tx, tenantId, claims, accountId);
      await assertMember(tx, { tenantId, accountId });
    }
    await identitySetUsed(tx, known.id);
    return setFresh(tx, caller, email, amrOf(provider), vouchOf(provider)?.vouchId);
  });
}

/** Mails a code that is good in this session. @throws APIError step_up_by_mail_refused, second_factor_required, rate_limited, mail_not_configured. */
export async function mailCode(caller: Caller): Promise<void> {
  requireMail();
  const { subjectId: accountId, sessionId } = caller;
  if (sessionId === undefined) throw errors.invalid_token({ internal: "no session" });
  const { email } = await withSystem("step-up", (tx) => mailableAccount(tx, caller));
  await countMail(email, "owner");
  await withSystem("step-up", (tx) => requestMail(tx, { kind: "step-up", accountId, sessionId }));
}

async function mailableAccount(tx: Tx, caller: Caller): Promise<AccountRow> {
  const account = await accountWithoutFactor(tx, caller);
  if (!isMailable(account)) throw errors.step_up_by_mail_refused();
  return account;
}

/** @throws APIError second_factor_invalid, rate_limited, and as mailCode. */
export async function byMailedCode(caller: Caller, text: string, address: string): Promise<Shown> {
  const { subjectId: accountId, sessionId } = caller;
  const attempt = await countOwnAttempt("factor", accountId, address);
  const hash = hashMailedCode(sessionId ?? "", text);
  if (hash === undefined) throw errors.second_factor_invalid();
  const shown = await withSystem("step-up", async (tx) => {
    const { email } = await mailableAccount(tx, caller);
    const taken = await oneTimeTokenTake(tx, "step-up", hash);
    if (taken?.accountId !== accountId || taken.email !== email) throw errors.second_factor_invalid();
    return setFresh(tx, caller, email, BY_MAIL);
  });
  await attempt.forget();
  return shown;
}

// Sessions that begin in an organisation at the moment in which it closes to them: each is behind the change, and is not let in, or
// before it, and its token is ended. On a server, where it really is the same moment.
import { auth } from "~encore/clients";
import { afterAll, beforeAll, expect, test } from "vitest";
import { concurrent } from "../../testing";
import { removeDomain } from "../domains/domains";
import { setIdentityProvider } from "../identity-provider";
import { beginOidcSignIn, completeOidcSignIn } from "../oidc/sign-in";
import { redirectUriOf } from "../oidc/state";
import { refreshSession, type SignedIn } from "../sessions";
import { readAccessToken } from "../tokens";
import { as } from "./callers";
import { startOpenIdProvider, type StartedProvider } from "./openid-provider";
import { clients, colleague, organisation, usual, verified, type Organisation } from "./organisation-providers";
import { here } from "./people";

const ROUNDS = 5;
const LANES = 6;
let elsewhere: StartedProvider;
let t: Organisation;
let people = 0;
beforeAll(async () => {
  elsewhere = await startOpenIdProvider([redirectUriOf({ id: "elsewhere" })]);
  t = await organisation("races", elsewhere);
});
afterAll(() => Promise.all([elsewhere, t.provider].map((provider) => provider.close())));

const newEmail = (): string => `r${++people}@${t.domain}`;
const require = (isRequired: boolean): Promise<unknown> =>
  setIdentityProvider(t.owner.principal, { ...usual, issuer: t.provider.issuer, isRequired }, clients);
const isTaken = ({ accessToken }: SignedIn): Promise<boolean> =>
  readAccessToken(accessToken, new Date()).then(
    () => true,
    () => false,
  );

/** Goes into the organisation, each time from where it came to last, until it is not let in; all that it was given. */
async function entering(from: SignedIn): Promise<SignedIn[]> {
  const given = [from];
  for (let n = 0; n < 500; n++) {
    const enter = as(given.at(-1) ?? from).then((by) => auth.switchTo({ organisationId: t.owner.tenantId }, by));
    const there = await enter.catch(() => undefined);
    if (there === undefined) break;
    given.push(there);
  }
  return given;
}
async function refreshing(first: SignedIn): Promise<SignedIn[]> {
  const given = [first];
  for (let n = 0; n < 500 && given.at(-1)?.organisation !== null; n++)
    given.push(await refreshSession(given.at(-1)?.refreshToken ?? "", new Date(), here));
  return given.filter(({ organisation: in_ }) => in_ !== null);
}

/** Some go in and some refresh while `close` happens; then none of what they were given is taken. */
async function assertNobodyStays(session: SignedIn, close: () => Promise<unknown>): Promise<void> {
  const by = await as(session);
  const refreshed = await auth.switchTo({ organisationId: t.owner.tenantId }, by);
  const acts = [
    ...Array.from({ length: LANES }, () => () => entering(session)),
    () => refreshing(refreshed),
    () => close().then((): SignedIn[] => []),
  ];
  const ended = await concurrent(acts.length, (n) => acts[n]?.() ?? Promise.reject(new Error("no act")));
  const given = ended.flatMap((one) => {
    if (one.status === "rejected") throw one.reason;
    return one.value;
  });
  expect(given.length).toBeGreaterThan(1);
  const taken = await Promise.all([session, ...given].map(isTaken));
  expect(taken.filter(Boolean)).toEqual([]);
}

test("a provider that is required from now on leaves nobody in whom it did not vouch for", async () => {
  for (let n = 0; n < ROUNDS; n++) {
    await assertNobodyStays(await colleague(newEmail(), t.owner), () => require(true));
    await require(false);
  }
});

test("a domain that is given up leaves nobody in who was in by the provider's word alone", async () => {
  for (let n = 0; n < ROUNDS; n++) {
    const begun = await beginOidcSignIn({ provider: t.id, browser: undefined }, new Date(), clients);
    const url = await t.provider.visit(begun.url, { sub: `s${++people}`, email: newEmail() });
    const back = { url, browser: begun.browser };
    const vouched = await completeOidcSignIn(back, new Date(), { address: here, device: null }, clients);
    await assertNobodyStays(vouched, () => removeDomain(t.owner.principal, t.domainId));
    t.domainId = await verified(t.owner, t.domain);
  }
});

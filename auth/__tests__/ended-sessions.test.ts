// A session that was ended changes nothing of how its account is signed in to, nor of where it is a member, nor ends the account or
// other sessions, though its access token was let in a moment before. The attack: whoever is being put out has a request under way
// that adds what lets them in again.
import { auth } from "~encore/clients";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OidcClients } from "../oidc/providers";
import { redirectUriOf } from "../oidc/state";
import { register } from "../registration";
import { accountChanges, accountState, type Someone } from "./account-changes";
import { as } from "./callers";
import { provided } from "./oidc-providers";
import { startOpenIdProvider, type StartedProvider } from "./openid-provider";
import type { Act } from "./organisation-changes";
import { newcomer, reason } from "./people";

let acme: StartedProvider;
let clients: OidcClients;
beforeAll(async () => {
  acme = await startOpenIdProvider([redirectUriOf({ id: "acme" })]);
  const all = [provided("acme", acme.issuer)];
  clients = new OidcClients({ timeoutMs: 10_000, allowLoopback: true, providers: () => all });
});
afterAll(() => acme.close());

test.each(Object.keys(accountChanges))("%s is refused to it; a live one does it", async (change) => {
  const someone = async (): Promise<Someone & { act: Act }> => {
    const ada = await register(newcomer(), new Date());
    const made = { ada, by: await as(ada), acme, clients };
    return { ...made, act: await accountChanges[change]!(made) };
  };
  const ended = await someone();
  await auth.logout({}, ended.by);
  const before = await accountState(ended.ada);
  expect(before).toHaveLength(1);
  expect(await reason(ended.act())).toBe("invalid_token");
  expect(await accountState(ended.ada)).toEqual(before);

  const live = await someone();
  const present = await accountState(live.ada);
  expect(await reason(live.act())).toBeUndefined();
  expect(await accountState(live.ada)).not.toEqual(present);
});

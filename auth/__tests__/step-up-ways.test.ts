// No kind of account is shut out of what asks for a fresh sign-in: each kind × each way that it is told of × each endpoint
// tagged `fresh` is executed. And what is no way: an old sign-in at a provider, somebody else's, a code of another session.
import { ai, auth, events, queues, secrets, webhooks } from "~encore/clients";
import { readFileSync } from "node:fs";
import { decodeJwt } from "jose";
import { URI, type TOTP } from "otpauth";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { newId } from "../../db/ids";
import { systemQuery } from "../../db/tenant";
import { callerFrom, type AuthData, type Caller } from "../../security/principal";
import { beginTotp, confirmTotp } from "../factors/enrolment";
import { addPasskey, beginPasskey } from "../factors/passkeys";
import { stepUp, stepUpOptions, type SteppedUp } from "../factors/step-up";
import { beginStepUp, mailCode, stepUpWays, type StepUpMethod } from "../factors/step-up-elsewhere";
import { OidcClients } from "../oidc/providers";
import { beginOidcSignIn, completeOidcSignIn } from "../oidc/sign-in";
import { redirectUriOf } from "../oidc/state";
import { createOrganisation, switchOrganisation } from "../organisations";
import { register } from "../registration";
import { signIn, type SignedIn } from "../sessions";
import { readAccessToken } from "../tokens";
import { Authenticator } from "./authenticator";
import { identify } from "./callers";
import { mailedToken, mailsTo } from "./mails";
import { provided } from "./oidc-providers";
import { startForger, type Forge, type StartedForger } from "./openid-forger";
import { startOpenIdProvider, type Person, type StartedProvider } from "./openid-provider";
import { here, newcomer, password, reason } from "./people";

let acme: StartedProvider;
let forger: StartedForger;
let clients: OidcClients;
beforeAll(async () => {
  acme = await startOpenIdProvider([redirectUriOf({ id: "acme" })]);
  forger = await startForger();
  const all = [provided("acme", acme.issuer), provided("forger", forger.issuer)];
  clients = new OidcClients({ timeoutMs: 10_000, allowLoopback: true, providers: () => all });
});
afterAll(() => Promise.all([acme.close(), forger.close()]));

interface Acting {
  authData: AuthData;
}
const id = newId();
const challenge = "x";
/** By their names, those of other services with the service's. With what does no harm where it is let in. */
const dangerous: Record<string, (as: Acting) => Promise<unknown>> = {
  addDomain: (as) => auth.addDomain({ domain: "none" }, as),
  addPasskey: (as) =>
    auth.addPasskey(
      {
        challenge,
        name: "x",
        attestation: {
          id: "x",
          rawId: "x",
          type: "public-key",
          response: { clientDataJSON: "x", attestationObject: "x" },
        },
      },
      as,
    ),
  "ai.putBudget": (as) => ai.putBudget({ id: "No name", period: "day", limitMicroUsd: 0 }, as),
  "ai.removeBudget": (as) => ai.removeBudget({ id: "none" }, as),
  beginIdentity: (as) => auth.beginIdentity({ provider: "nobody" }, as),
  beginPasskey: (as) => auth.beginPasskey(as),
  beginTotp: (as) => auth.beginTotp(as),
  changeEmail: (as) => auth.changeEmail({ email: "none" }, as),
  changeMember: (as) => auth.changeMember({ userId: id, role: "viewer" }, as),
  changeRole: (as) => auth.changeRole({ id, name: "x" }, as),
  changeServicePrincipal: (as) => auth.changeServicePrincipal({ id, name: "x" }, as),
  confirmTotp: (as) => auth.confirmTotp({ code: "0" }, as),
  createApiKey: (as) => auth.createApiKey({ name: " " }, as),
  createRole: (as) => auth.createRole({ name: "x", permissions: [] }, as),
  createServicePrincipal: (as) => auth.createServicePrincipal({ name: "x", permissions: [] }, as),
  deleteOrganisation: (as) => auth.deleteOrganisation({ id }, as),
  deleteRole: (as) => auth.deleteRole({ id }, as),
  deleteServicePrincipal: (as) => auth.deleteServicePrincipal({ id }, as),
  createUser: (as) => auth.createUser({ email: "none", role: "viewer" }, as),
  updateUser: (as) => auth.updateUser({ id, role: "viewer" }, as),
  removeUser: (as) => auth.removeUser({ id }, as),
  inviteMember: (as) => auth.inviteMember({ email: "none", role: "viewer" }, as),
  removeDomain: (as) => auth.removeDomain({ id }, as),
  removeIdentityProvider: (as) => auth.removeIdentityProvider(as),
  removeMember: (as) => auth.removeMember({ userId: id }, as),
  removePasskey: (as) => auth.removePasskey({ id }, as),
  removeTotp: (as) => auth.removeTotp({ authData: { ...as.authData, userID: id } }),
  replaceRecoveryCodes: (as) => auth.replaceRecoveryCodes({ authData: { ...as.authData, userID: id } }),
  rotateApiKey: (as) => auth.rotateApiKey({ id }, as),
  setIdentityProvider: (as) => auth.setIdentityProvider({ issuer: "x", clientId: "x", clientSecret: "x" }, as),
  transferOrganisation: (as) => auth.transferOrganisation({ id, userId: id }, as),
  unlinkIdentity: (as) => auth.unlinkIdentity({ id }, as),
  "events.discardDeadLetters": (as) => events.discardDeadLetters({ filter: { ids: [id] } }, as),
  "queues.discardDeadLetters": (as) => queues.discardDeadLetters({ filter: { ids: [id] } }, as),
  "secrets.put": (as) => secrets.put({ name: "No name", value: "x" }, as),
  "secrets.remove": (as) => secrets.remove({ name: "none" }, as),
  "secrets.rotate": (as) => secrets.rotate(as),
  "webhooks.createEndpoint": (as) => webhooks.createEndpoint({ url: "none" }, as),
  "webhooks.updateEndpoint": (as) => webhooks.updateEndpoint({ id }, as),
  "webhooks.rotateEndpoint": (as) => webhooks.rotateEndpoint({ id }, as),
  "webhooks.createSource": (as) => webhooks.createSource({ name: "x", scheme: "standard", secret: "no".repeat(8) }, as),
  "webhooks.updateSource": (as) => webhooks.updateSource({ id }, as),
  "webhooks.removeSource": (as) => webhooks.removeSource({ id }, as),
  "webhooks.removeEndpoint": (as) => webhooks.removeEndpoint({ id }, as),
  // The last of all: it is let in.
  deleteAccount: (as) => auth.deleteAccount(as),
};
/** Raw: no client calls it; the same guard stands before it. */
const RAW = ["exportOrganisation"];
const refusalsOf = async (accessToken: string, names: readonly string[]): Promise<string[]> => {
  const as = { authData: await identify(accessToken) };
  const refused: string[] = [];
  for (const name of names) if ((await reason(dangerous[name]!(as))) === "step_up_required") refused.push(name);
  return refused;
};

/** What a test has in hand of somebody. */
interface Somebody {
  signedIn: SignedIn;
  app?: TOTP;
  device?: Authenticator;
  recoveryCodes?: string[];
  person?: Person;
}
const callerOf = async (accessToken: string): Promise<Caller> =>
  callerFrom(await readAccessToken(accessToken, new Date()));

let subjects = 0;
const personAt = (more: Partial<Person> = {}): Person => ({
  sub: `s${++subjects}`,
  email: newcomer().email,
  email_verified: true,
  ...more,
});
async function byProviderOf(person: Person): Promise<Somebody> {
  const begun = await beginOidcSignIn({ provider: "acme", browser: undefined }, new Date(), clients);
  const back = { url: await acme.visit(begun.url, person), browser: begun.browser };
  return { signedIn: await completeOidcSignIn(back, new Date(), { address: here, device: null }, clients), person };
}
const byPassword = async (): Promise<Somebody> => ({ signedIn: await register(newcomer(), new Date()) });
async function withApp(somebody: Somebody): Promise<Somebody> {
  const caller = await callerOf(somebody.signedIn.accessToken);
  const app = URI.parse((await beginTotp(caller)).uri) as TOTP;
  const now = Date.now();
  const recoveryCodes = await confirmTotp(caller, app.generate({ timestamp: now - 30_000 }), new Date(now));
  return { ...somebody, app, recoveryCodes: recoveryCodes ?? [] };
}
async function withPasskey(somebody: Somebody): Promise<Somebody> {
  const caller = await callerOf(somebody.signedIn.accessToken);
  const device = new Authenticator();
  const begun = await beginPasskey(caller, new Date());
  const made = { challenge: begun.challenge, name: "Telephone", attestation: device.create(begun.options) };
  const { recoveryCodes = [] } = await addPasskey(caller, made, new Date());
  return { ...somebody, device, recoveryCodes };
}
async function withoutPassword(somebody: Somebody): Promise<Somebody> {
  await systemQuery("test", "update auth.account set password_hash = null where id = $1", [somebody.signedIn.user.id]);
  return somebody;
}
async function verified(somebody: Somebody): Promise<Somebody> {
  await auth.verifyEmail({ token: await mailedToken(somebody.signedIn.user.email) });
  return somebody;
}

const kinds: Record<string, { make: () => Promise<Somebody>; ways: StepUpMethod[] }> = {
  "a password": { make: byPassword, ways: ["password"] },
  "a password and an app": { make: () => byPassword().then(withApp), ways: ["totp", "recovery-code"] },
  "a password and a passkey": { make: () => byPassword().then(withPasskey), ways: ["passkey", "recovery-code"] },
  "a passkey alone": {
    make: () => byPassword().then(withPasskey).then(withoutPassword),
    ways: ["passkey", "recovery-code"],
  },
  "a provider": { make: () => byProviderOf(personAt()), ways: ["provider", "mail"] },
  "a provider that does not vouch for the address": {
    make: () => byProviderOf(personAt({ email_verified: false })),
    ways: ["provider"],
  },
  "a provider and an app": { make: () => byProviderOf(personAt()).then(withApp), ways: ["totp", "recovery-code"] },
  "nothing but a verified address": { make: () => byPassword().then(verified).then(withoutPassword), ways: ["mail"] },
};

/** In an organisation of their own, an hour after they signed in. */
async function anHourLater({ signedIn }: Somebody): Promise<string> {
  const caller = await callerOf(signedIn.accessToken);
  const own = signedIn.organisation ?? (await createOrganisation(caller, { name: "Own" }, new Date()));
  await systemQuery(
    "test",
    "update auth.session set authenticated_at = now() - interval '1 hour' where account_id = $1",
    [signedIn.user.id],
  );
  return (await switchOrganisation(caller, own.id, new Date())).accessToken;
}

async function shownBy(way: StepUpMethod, somebody: Somebody, caller: Caller): Promise<Parameters<typeof stepUp>[1]> {
  switch (way) {
    case "password":
      return { password };
    case "totp":
      return { code: somebody.app!.generate() };
    case "recovery-code":
      return { recoveryCode: somebody.recoveryCodes!.shift()! };
    case "passkey": {
      const begun = await stepUpOptions(caller, new Date());
      return { challenge: begun.challenge, passkey: somebody.device!.get(begun.options) };
    }
    case "provider":
      return atProvider(caller, somebody.person!);
    case "mail":
      await mailCode(caller);
      return { mailedCode: await mailedCodeTo(somebody.signedIn.user.email) };
  }
}
async function atProvider(caller: Caller, person: Person): Promise<{ url: string; browser: string }> {
  const begun = await beginStepUp(caller, { provider: "acme", browser: undefined }, new Date(), clients);
  return { url: await acme.visit(begun.url, person), browser: begun.browser };
}
const mailedCodeTo = async (email: string): Promise<string> =>
  /^(?:[0-9A-Z]{4}-){5}[0-9A-Z]{4}$/m.exec((await mailsTo(email))[0]?.text ?? "")?.[0] ?? "";
const step = (caller: Caller, input: Parameters<typeof stepUp>[1]): Promise<SteppedUp> =>
  stepUp(caller, input, new Date(), here, clients);

describe("what asks for a fresh sign-in", () => {
  test("is all in the table", () => {
    const page = readFileSync(new URL("../../docs/permissions.md", import.meta.url), "utf8");
    const tagged = page
      .split("\n")
      // Of staff: operator-step-up.test.ts.
      .filter((line) => !line.includes("`can:operator."))
      .flatMap((line) => (line.includes("`fresh`") ? (/`(\w+\.\w+)`/.exec(line)?.[1] ?? []) : []))
      .map((name) => name.replace(/^auth\./, ""));
    expect(tagged.toSorted()).toEqual([...Object.keys(dangerous), ...RAW].toSorted());
  });

  test.each(Object.keys(kinds))("is open to an account with %s, by each way that it is told of", async (kind) => {
    const { make, ways } = kinds[kind]!;
    const somebody = await make();
    const stale = await anHourLater(somebody);
    const names = Object.keys(dangerous);
    expect(await refusalsOf(stale, names)).toEqual(names);
    const caller = await callerOf(stale);
    expect((await stepUpWays(caller, clients)).methods).toEqual(ways);
    for (const way of ways) {
      const { accessToken } = await step(caller, await shownBy(way, somebody, caller));
      const isLast = way === ways.at(-1);
      expect({ way, refused: await refusalsOf(accessToken, isLast ? names : names.slice(0, -1)) }).toEqual({
        way,
        refused: [],
      });
    }
  });
});

describe("a provider", () => {
  const linkedTo = async (provider: string): Promise<Caller> => {
    const somebody = await byProviderOf(personAt());
    await systemQuery(
      "test",
      "update auth.identity set provider = $2, issuer = $3, subject = $4 where account_id = $1",
      [somebody.signedIn.user.id, provider, forger.issuer, somebody.signedIn.user.id],
    );
    return callerOf(await anHourLater(somebody));
  };

  test("is asked to ask again, and believed by when it says it did", async () => {
    const caller = await linkedTo("forger");
    const attempt = async (forge: Forge): Promise<string | undefined> => {
      const begun = await beginStepUp(caller, { provider: "forger", browser: undefined }, new Date(), clients);
      const { state, nonce = "", ...asked } = Object.fromEntries(new URL(begun.url).searchParams);
      expect(asked).toMatchObject({ prompt: "login", max_age: "0" });
      forger.answerWith({ claims: { sub: caller.subjectId, ...forge.claims } }, nonce);
      const url = `${redirectUriOf({ id: "forger" })}?code=x&state=${state}`;
      return reason(step(caller, { url, browser: begun.browser }));
    };
    const now = Math.floor(Date.now() / 1000);
    expect(await attempt({})).toBe("provider_did_not_ask");
    expect(await attempt({ claims: { auth_time: now - 3600 } })).toBe("provider_did_not_ask");
    expect(await attempt({ claims: { auth_time: now, sub: "somebody-else" } })).toBe("oidc_failed");
    expect(await attempt({ claims: { auth_time: now } })).toBeUndefined();
  });

  test("answers for the account that it is linked to, in the session that asked, once, and for no sign-in", async () => {
    const [ada, eve] = [await byProviderOf(personAt()), await byProviderOf(personAt())];
    const caller = await callerOf(await anHourLater(ada));
    expect(await reason(atProvider(caller, eve.person!).then((back) => step(caller, back)))).toBe("oidc_failed");
    const back = await atProvider(caller, ada.person!);
    expect(await reason(step(await callerOf(eve.signedIn.accessToken), back))).toBe("challenge_invalid");
    expect(await reason(step(await callerOf(ada.signedIn.accessToken), back))).toBe("challenge_invalid");
    expect(await reason(step(caller, { ...back, browser: "x" }))).toBe("challenge_invalid");
    expect(await reason(completeOidcSignIn(back, new Date(), { address: here, device: null }, clients))).toBe(
      "challenge_invalid",
    );
    const { accessToken } = await step(caller, back);
    expect(decodeJwt(accessToken)["amr"]).toEqual(["oidc"]);
    expect(await reason(step(caller, back))).toBe("challenge_invalid");
    const stranger = await callerOf((await byPassword()).signedIn.accessToken);
    expect(await reason(atProvider(stranger, ada.person!))).toBe("oidc_provider_not_found");
  });
});

describe("a mailed code", () => {
  test("is good once, in the session that asked, for ten minutes", async () => {
    const ada = await byProviderOf(personAt());
    const caller = await callerOf(await anHourLater(ada));
    const { email } = ada.signedIn.user;
    await mailCode(caller);
    const mailedCode = await mailedCodeTo(email);
    expect(await reason(step(await callerOf(ada.signedIn.accessToken), { mailedCode }))).toBe("second_factor_invalid");
    expect(await reason(step(caller, { mailedCode: "0000-0000-0000-0000-0000-0000" }))).toBe("second_factor_invalid");
    expect(await reason(step(caller, { mailedCode: "x".repeat(64) }))).toBe("second_factor_invalid");
    const { accessToken } = await step(caller, { mailedCode: mailedCode.toLowerCase().replaceAll("-", " ") });
    expect(decodeJwt(accessToken)["amr"]).toEqual(["mail", "oidc"]);
    expect(await reason(step(caller, { mailedCode }))).toBe("second_factor_invalid");
    await mailCode(caller);
    const late = await mailedCodeTo(email);
    await systemQuery(
      "test",
      "update auth.one_time_token set expires_at = now() - interval '1 second' where account_id = $1 and purpose = 'step-up'",
      [ada.signedIn.user.id],
    );
    expect(await reason(step(caller, { mailedCode: late }))).toBe("second_factor_invalid");
  });

  test("to an address that is the account's no more is of no use", async () => {
    const ada = await byProviderOf(personAt());
    const caller = await callerOf(ada.signedIn.accessToken);
    const { id: accountId, email: from } = ada.signedIn.user;
    await mailCode(caller);
    const mailedCode = await mailedCodeTo(from);
    const setEmail = (email: string): Promise<unknown> =>
      systemQuery("test", "update auth.account set email = $2 where id = $1", [accountId, email]);
    await setEmail(newcomer().email);
    expect(await reason(step(caller, { mailedCode }))).toBe("second_factor_invalid");
    await setEmail(from);
    expect(await reason(step(caller, { mailedCode }))).toBeUndefined();
  });

  test("is for accounts that have nothing better, and an address that is theirs", async () => {
    const asks = async ({ signedIn }: Somebody): Promise<string | undefined> =>
      reason(mailCode(await callerOf(signedIn.accessToken)));
    expect(await asks(await byPassword().then(verified))).toBe("step_up_by_mail_refused");
    expect(await asks(await byProviderOf(personAt({ email_verified: false })))).toBe("step_up_by_mail_refused");
    const guarded = await byProviderOf(personAt()).then(withApp);
    expect(await asks(guarded)).toBe("second_factor_required");
    const caller = await callerOf(guarded.signedIn.accessToken);
    const back = await atProvider(caller, guarded.person!);
    expect(await reason(step(caller, back))).toBe("second_factor_required");
    // What was mailed before there was something better is of no use after.
    const ada = await byProviderOf(personAt());
    const before = await callerOf(ada.signedIn.accessToken);
    await mailCode(before);
    const mailedCode = await mailedCodeTo(ada.signedIn.user.email);
    await withApp(ada);
    expect(await reason(step(before, { mailedCode }))).toBe("second_factor_required");
    expect(await reason(signIn({ email: ada.signedIn.user.email, password: mailedCode }, new Date(), here))).toBe(
      "invalid_credentials",
    );
  });
});

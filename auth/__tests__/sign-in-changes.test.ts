// What changes between the first step of a sign-in and its session: the session begins by what is so then, or not at all. Each
// step is taken here by itself; that no change slips in between is seen in races.pg.test.ts.
import { auth } from "~encore/clients";
import { URI, type TOTP } from "otpauth";
import { describe, expect, test } from "vitest";
import { systemQuery, withSystem } from "../../db/tenant";
import { callerFrom, tenantIdFrom } from "../../security/principal";
import { registerCaller } from "../../testing";
import { beginTotp, confirmTotp } from "../factors/enrolment";
import { requireSecondFactor } from "../factors/requirement";
import { completeSecondFactor } from "../factors/second-factor";
import { accountOf } from "../oidc/linking";
import { provision } from "../oidc/provisioning";
import { register, type Registered } from "../registration";
import { openSession } from "../sessions";
import { accountFind } from "../store/accounts";
import { readAccessToken } from "../tokens";
import { as } from "./callers";
import { mailedToken, verifyAddressOf } from "./mails";
import { provided } from "./oidc-providers";
import { count, here, newcomer, reason } from "./people";

const now = new Date();
const person = (): Promise<Registered> => register(newcomer(), now);
const withTotp = async ({ accessToken }: Registered): Promise<TOTP> => {
  const caller = callerFrom(await readAccessToken(accessToken, now));
  const app = URI.parse((await beginTotp(caller)).uri) as TOTP;
  await confirmTotp(caller, app.generate({ timestamp: now.getTime() }), now);
  return app;
};
const addPasskey = ({ user }: Registered): Promise<unknown> =>
  systemQuery(
    "test",
    `insert into auth.passkey (id, account_id, credential_id, public_key, sign_count, is_synced, is_backed_up, transports, name)
     values (gen_random_uuid(), $1, sha256($2::bytea), decode('ab', 'hex'), 0, false, false, '{}', 'phone')`,
    [user.id, user.id],
  );
const sessionsOf = ({ user }: Registered): Promise<number> =>
  count(`auth.session where account_id = '${user.id}' and revoked_at is null`);

describe("a second factor that is added while somebody signs in", () => {
  test.each([
    ["codes of an app", withTotp],
    ["a passkey", addPasskey],
  ])("%s: no session begins that was not asked for it", async (_what, add) => {
    const ada = await person();
    await add(ada);
    const before = await sessionsOf(ada);
    const { passwordHash } = (await accountFind(ada.user.id)) ?? {};
    const open = (amr: string[]): Promise<string | undefined> =>
      reason(
        withSystem("test", (tx) =>
          openSession(tx, { accountId: ada.user.id, ...ada.user, organisation: null }, null, amr, passwordHash ?? ""),
        ),
      );
    expect(await open(["pwd"])).toBe("invalid_credentials");
    expect(await sessionsOf(ada)).toBe(before);
    expect(await open(["pwd", "otp", "mfa"])).toBeUndefined();
  });
});

test("an account elsewhere that is unlinked before the second factor was shown lets nobody in", async () => {
  const ada = await person();
  const app = await withTotp(ada);
  const { id: accountId } = ada.user;
  const [identity] = await systemQuery<{ id: string }>(
    "test",
    `insert into auth.identity (id, account_id, provider, issuer, subject, how)
     values (gen_random_uuid(), $1, 'p', 'https://p.example', $2, 'linked') returning id`,
    [accountId, accountId],
  );
  const { passwordHash = null } = (await accountFind(accountId)) ?? {};
  const challengeOf = async (): Promise<string> => {
    const asked = requireSecondFactor({ id: accountId, passwordHash }, ["oidc"], now, {
      identityId: identity?.id ?? "",
    });
    const refusal: unknown = await asked.catch((error: unknown) => error);
    return (refusal as { details: { challenge: string } }).details.challenge;
  };
  const challenge = await challengeOf();
  const later = new Date(now.getTime() + 30_000);
  const code = app.generate({ timestamp: later.getTime() });
  await auth.unlinkIdentity({ id: identity?.id ?? "" }, await as(ada));
  expect(await reason(completeSecondFactor({ challenge, code }, later, here, null))).toBe("challenge_invalid");
});

test("the provider that an organisation has by now is the one that makes members: another issuer's word is too late", async () => {
  const owner = await registerCaller();
  const ada = await person();
  const [provider] = await systemQuery<{ id: string }>(
    "test",
    `insert into auth.identity_provider (id, tenant_id, issuer, client_id, default_role, is_required)
     values (gen_random_uuid(), $1, 'https://new.example', 'c', 'member', false) returning id`,
    [owner.tenantId],
  );
  const join = (issuer: string): Promise<string | undefined> =>
    reason(
      withSystem("test", (tx) =>
        provision(tx, {
          providerId: provider?.id ?? "",
          issuer,
          tenantId: tenantIdFrom(owner.tenantId),
          accountId: ada.user.id,
        }),
      ),
    );
  expect(await join("https://old.example")).toBe("oidc_failed");
  expect(await count(`auth.membership where tenant_id = '${owner.tenantId}'`)).toBe(1);
  expect(await join("https://new.example")).toBeUndefined();
  // A member already: the identity that this sign-in stored is of the issuer before all the same.
  expect(await join("https://old.example")).toBe("oidc_failed");
});

test("an address that its account can still take back is told as taken, and not as a provider that is away", async () => {
  const ada = await person();
  await verifyAddressOf(ada.user);
  const { email } = newcomer();
  await auth.changeEmail({ email }, await as(ada));
  await auth.confirmEmail({ token: await mailedToken(email) });
  const claims = {
    issuer: "https://p.example",
    subject: ada.user.id,
    email: ada.user.email,
    isEmailVerified: true,
    isEmailUnverified: false,
    authTime: undefined,
  };
  expect(await reason(accountOf(provided("p", claims.issuer), claims, now))).toBe("email_taken");
});

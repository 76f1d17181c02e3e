// An operator's token behind an address at which others forge. The attack: forge tokens in the office's network, and its staff is out.
import { Secret, TOTP } from "otpauth";
import { afterEach, expect, test, vi } from "vitest";
import { systemQuery } from "../../db/tenant";
import { Limits, limits } from "../../security/limits";
import { callerFrom } from "../../security/principal";
import { authenticate } from "../gateway";
import { addOperator } from "../operators/operators";
import { beginSetup, completeSetup, readOperatorToken, signInOperator, signOutOperator } from "../operators/sign-in";
import { createToken } from "../operators/token";
import { password, reason } from "./people";

const ADDRESS = "203.0.113.30";

async function signedIn(): Promise<string> {
  const email = `staff-${crypto.randomUUID()}@example.com`;
  const { setupToken } = await addOperator(email);
  const { secret } = await beginSetup({ setupToken, password }, ADDRESS);
  const app = new TOTP({ secret: Secret.fromBase32(secret) });
  const [now, later] = [new Date(), new Date(Date.now() + 60_000)];
  await completeSetup({ setupToken, code: app.generate({ timestamp: now.getTime() }) }, now, ADDRESS);
  const code = app.generate({ timestamp: later.getTime() });
  return (await signInOperator({ email, password, code }, later, ADDRESS)).token;
}

const from = (token: string): Promise<string | undefined> =>
  reason((async () => authenticate({ authorization: `Bearer ${token}`, forwardedFor: ADDRESS }))());

afterEach(() => vi.restoreAllMocks());

test("an operator's token that was good is looked at whatever its neighbours forge, and no longer once its session is over", async () => {
  const token = await signedIn();
  const strict = new Limits({ scale: 0.05 }); // thirty points: three forged ones
  vi.spyOn(limits, "assertFewFailures").mockImplementation(strict.assertFewFailures.bind(strict));
  vi.spyOn(limits, "countFailure").mockImplementation(strict.countFailure.bind(strict));
  for (let n = 0; n < 3; n++) expect(await from(createToken("session"))).toBe("invalid_token");
  expect(await from(createToken("session"))).toBe("rate_limited");
  for (let n = 0; n < 2; n++) expect(await from(token)).toBeUndefined();
  await signOutOperator(callerFrom(await readOperatorToken(token)));
  expect([await from(token), await from(token)]).toEqual(["invalid_token", "rate_limited"]);
});

test("what a page asks by itself keeps no session alive, and what somebody asks does", async () => {
  const token = await signedIn();
  const { sessionId } = await readOperatorToken(token);
  const idle = async (): Promise<number> => {
    const sql =
      "select extract(epoch from now() - last_used_at)::float8 as idle from auth.operator_session where id = $1";
    return (await systemQuery<{ idle: number }>("test", sql, [sessionId]))[0]?.idle ?? NaN;
  };
  await systemQuery(
    "test",
    "update auth.operator_session set last_used_at = now() - interval '14 minutes' where id = $1",
    [sessionId],
  );
  const asked = { authorization: `Bearer ${token}`, forwardedFor: ADDRESS };
  for (let poll = 0; poll < 3; poll++) await authenticate({ ...asked, background: "1" });
  expect(await idle()).toBeGreaterThanOrEqual(840);
  await authenticate(asked);
  expect(await idle()).toBeLessThan(60);
});

test("a cookie speaks for the operator whom the page means, and for no other who signed in at the browser meanwhile", async () => {
  const [token, other] = [await signedIn(), await signedIn()];
  const { userID } = await readOperatorToken(token);
  const by = (value: string, accountId: string): Promise<string | undefined> =>
    reason((async () => authenticate({ staff: { value }, accountId, forwardedFor: ADDRESS }))());
  for (const accountId of ["operator", `operator:${userID}`]) expect(await by(token, accountId)).toBeUndefined();
  expect(await by(other, "operator")).toBeUndefined();
  expect(await by(other, `operator:${userID}`)).toBe("invalid_token");
  expect(await by(token, "operator:")).toBe("invalid_token");
  for (const accountId of [userID, "operators", ""]) expect(await by(token, accountId)).toBe("unauthenticated");
});

test("no page of another site opens a stream by the cookie of an operator", async () => {
  const staff = { value: await signedIn() };
  const opens = (from: object): Promise<string | undefined> =>
    reason(
      (async () =>
        authenticate({ staff, accountId: "operator", forwardedFor: ADDRESS, webSocketKey: "a key", ...from }))(),
    );
  expect(await opens({ origin: "https://evil.example", host: "app.example" })).toBe("cross_site_request");
  expect(await opens({ fetchSite: "same-origin" })).toBeUndefined();
});

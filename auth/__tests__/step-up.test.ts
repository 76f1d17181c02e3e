// Dangerous things are done by whoever has just shown who they are, not by whoever holds a token.
import { auth } from "~encore/clients";
import { decodeJwt } from "jose";
import { describe, expect, test, vi } from "vitest";
import { systemQuery } from "../../db/tenant";
import { Limits, limits } from "../../security/limits";
import type { AuthData } from "../../security/principal";
import { authenticate } from "../gateway";
import { register, type Registered } from "../registration";
import { refreshSession } from "../sessions";
import { here, newcomer, password, reason } from "./people";

const as = async (accessToken: string): Promise<{ authData: AuthData }> => {
  const authData = await authenticate({ authorization: `Bearer ${accessToken}` });
  if (authData === null) throw new Error("the auth handler answers null for nobody");
  return { authData };
};
/** Somebody who registered an hour ago; the tokens say so. */
const anHourAgo = async (): Promise<Registered> => {
  const person = await register(newcomer(), new Date());
  await systemQuery(
    "test",
    "update auth.session set authenticated_at = now() - interval '1 hour' where account_id = $1",
    [person.user.id],
  );
  return {
    ...person,
    ...(await refreshSession(person.refreshToken, new Date(), here)),
    organisation: person.organisation,
  };
};
const makeKey = async (accessToken: string): Promise<string | undefined> =>
  reason(auth.createApiKey({ name: "ci" }, await as(accessToken)));

describe("step-up", () => {
  test("is not asked of whoever has just signed in, and refreshing does not make a session fresh", async () => {
    const person = await register(newcomer(), new Date());
    expect(await makeKey(person.accessToken)).toBeUndefined();
    const old = await anHourAgo();
    expect(await makeKey(old.accessToken)).toBe("step_up_required");
    const renewed = await refreshSession(old.refreshToken, new Date(), here);
    expect(await makeKey(renewed.accessToken)).toBe("step_up_required");
  });

  test("answers an access token that is fresh, in the same session and organisation; the refresh token stays good", async () => {
    const person = await anHourAgo();
    const { accessToken, expiresIn } = await auth.stepUp({ password }, await as(person.accessToken));
    expect(expiresIn).toBe(900);
    expect(await makeKey(accessToken)).toBeUndefined();
    const [before, after] = [decodeJwt(person.accessToken), decodeJwt(accessToken)];
    expect(after).toMatchObject({ sid: before.sid, tenant: person.organisation.id, role: "owner", amr: ["pwd"] });
    expect(Number(after.auth_time) - Number(before.auth_time)).toBeGreaterThan(3_500);
    const renewed = await refreshSession(person.refreshToken, new Date(), here);
    expect(await makeKey(renewed.accessToken)).toBeUndefined();
    // The token of before is no fresher for it.
    expect(await makeKey(person.accessToken)).toBe("step_up_required");
  });

  test("makes no other session of the account fresh", async () => {
    const person = await anHourAgo();
    const other = await auth.login({ email: person.user.email, password });
    await systemQuery(
      "test",
      "update auth.session set authenticated_at = now() - interval '1 hour' where account_id = $1",
      [person.user.id],
    );
    await auth.stepUp({ password }, await as(person.accessToken));
    const renewed = await refreshSession(other.refreshToken, new Date(), here);
    expect(await makeKey(renewed.accessToken)).toBe("step_up_required");
  });

  test("asks for the password, and ends with the session", async () => {
    const person = await anHourAgo();
    const caller = await as(person.accessToken);
    expect(await reason(auth.stepUp({ password: "not the present one" }, caller))).toBe("invalid_credentials");
    await auth.logout({}, caller);
    expect(await reason(auth.stepUp({ password }, caller))).toBe("invalid_token");
  });

  test("does not let whoever holds a token guess the password", async () => {
    const caller = await as((await anHourAgo()).accessToken);
    const strict = new Limits({ scale: 0.4 }); // two
    vi.spyOn(limits, "consume").mockImplementation((...args) => strict.consume(...args));
    const guess = (text: string): Promise<string | undefined> => reason(auth.stepUp({ password: text }, caller));
    expect([await guess("wrong"), await guess("wrong"), await guess(password)]).toEqual([
      "invalid_credentials",
      "invalid_credentials",
      "rate_limited",
    ]);
    vi.restoreAllMocks();
  });

  test("is handed on to the other organisation on a switch, no fresher than it was", async () => {
    const person = await anHourAgo();
    const other = await auth.createOrganisation({ name: "Second" }, await as(person.accessToken));
    const there = await auth.switchTo({ organisationId: other.id }, await as(person.accessToken));
    expect(await makeKey(there.accessToken)).toBe("step_up_required");
  });
});

// Staff who change something show again who they are: who holds a session alone, stolen or left open, changes nothing.
import { auth, console as app, events, queues } from "~encore/clients";
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { platformLog } from "../../audit/platform";
import { newId } from "../../db/ids";
import { systemQuery } from "../../db/tenant";
import { callerFrom, type AuthData } from "../../security/principal";
import { createDevelopmentLink, signInByLink } from "../operators/development-link";
import { readOperatorToken, stepUpOperator } from "../operators/sign-in";
import { reason as reasonOf } from "./people";
import { ADDRESS, clock, codeOf, later, logOf, makeOperator, PASSWORD, refusal, signIn, type Staff } from "./staff";

interface Acting {
  authData: AuthData;
}
const id = newId();
const reason = "ticket 4711: of a test";
const filter = { ids: [id] };
/** Every endpoint of staff that is tagged `fresh`, with what does no harm where it is let in. */
const changing: Record<string, (as: Acting) => Promise<unknown>> = {
  "auth.operatorSetFlag": (as) => auth.operatorSetFlag({ id, flag: "sqlSpans", value: "off", reason }, as),
  "auth.operatorRemoveFlag": (as) => auth.operatorRemoveFlag({ id, flag: "sqlSpans", reason }, as),
  "console.redriveOrganisationLetters": (as) =>
    app.redriveOrganisationLetters({ id, kind: "jobs", filter, reason }, as),
  "console.discardOrganisationLetters": (as) =>
    app.discardOrganisationLetters({ id, kind: "jobs", filter, reason }, as),
  "events.pauseEvents": (as) => events.pauseEvents({ name: id, reason }, as),
  "events.resumeEvents": (as) => events.resumeEvents({ name: id, reason }, as),
  "events.replayToConsumer": (as) => events.replayToConsumer({ name: id, reason, from: "2026-11-30T08:00:00Z" }, as),
  "events.operatorRedriveDeadLetters": (as) => events.operatorRedriveDeadLetters({ filter, purpose: reason }, as),
  "events.operatorDiscardDeadLetters": (as) => events.operatorDiscardDeadLetters({ filter, purpose: reason }, as),
  "queues.operatorRedriveDeadLetters": (as) => queues.operatorRedriveDeadLetters({ filter, purpose: reason }, as),
  "queues.operatorDiscardDeadLetters": (as) => queues.operatorDiscardDeadLetters({ filter, purpose: reason }, as),
};
const refusals = async (token: string): Promise<string[]> => {
  const as = { authData: await readOperatorToken(token) };
  const refused: string[] = [];
  for (const [name, act] of Object.entries(changing))
    if ((await reasonOf(act(as))) === "step_up_required") refused.push(name);
  return refused;
};

/** How long ago, and so the ten minutes within which they may change things are over. */
const AGO_SECONDS = 660;
const SESSION_SECONDS = 4 * 3_600;
const signedInLongAgo = async (staff: Staff): Promise<string> => {
  const token = await signIn(staff);
  const { sessionId } = await readOperatorToken(token);
  await systemQuery(
    "test",
    `update auth.operator_session set proven_at = now() - make_interval(secs => $2), last_used_at = now(),
       expires_at = expires_at - make_interval(secs => $2) where id = $1`,
    [sessionId, AGO_SECONDS],
  );
  return token;
};
const stepUp = async (token: string, { secret }: Staff, over: { password?: string; code?: string } = {}) => {
  const at = later();
  const proof = { password: PASSWORD, code: codeOf(secret, at), ...over };
  return stepUpOperator(callerFrom(await readOperatorToken(token)), proof, at, ADDRESS);
};

describe("what staff change", () => {
  test("is all in the table", () => {
    const page = readFileSync(new URL("../../docs/permissions.md", import.meta.url), "utf8");
    const tagged = page
      .split("\n")
      .filter((line) => line.includes("`can:operator.") && line.includes("`fresh`"))
      .flatMap((line) => /`(\w+\.\w+)`/.exec(line)?.[1] ?? []);
    expect(tagged.toSorted()).toEqual(Object.keys(changing).toSorted());
  });

  test("is shut ten minutes after they signed in, and open once they show again who they are, under another token", async () => {
    const staff = await makeOperator();
    const before = await signedInLongAgo(staff);
    expect(await refusals(before)).toEqual(Object.keys(changing));
    const { token, expiresIn } = await stepUp(before, staff);
    // The session ends when it would have.
    const left = SESSION_SECONDS - AGO_SECONDS;
    expect(expiresIn).toBeLessThanOrEqual(left);
    expect(expiresIn).toBeGreaterThan(left - 60);
    expect(await refusals(token)).toEqual([]);
    await expect(readOperatorToken(before)).rejects.toThrow("no such session");
    const { userID } = await readOperatorToken(token);
    const [told] = await logOf(platformLog.tenantId);
    expect(told).toMatchObject({ action: "operator.session.stepped_up", actor: `operator:${userID}` });
  });

  test("is opened by no wrong password, no wrong code and no code that was used, each with one answer", async () => {
    const [staff, other] = [await makeOperator(), await makeOperator()];
    const token = await signedInLongAgo(staff);
    const used = codeOf(staff.secret, new Date(clock.nowMs));
    const tries = [{ password: "x" }, { code: "000000" }, { code: used }, { code: codeOf(other.secret, later()) }];
    for (const over of tries)
      await expect(stepUp(token, staff, over), JSON.stringify(over)).rejects.toEqual(refusal("invalid_credentials"));
    expect(await refusals(token)).toEqual(Object.keys(changing));
  });

  test("is not opened by a session that ended meanwhile, and is for staff alone", async () => {
    const staff = await makeOperator();
    const token = await signedInLongAgo(staff);
    const caller = callerFrom(await readOperatorToken(token));
    await systemQuery("test", "update auth.operator_session set expires_at = now() where id = $1", [caller.sessionId]);
    const at = later();
    const proof = { password: PASSWORD, code: codeOf(staff.secret, at) };
    await expect(stepUpOperator(caller, proof, at, ADDRESS)).rejects.toEqual(refusal("invalid_token"));
    const owner = { authData: { userID: newId(), tenantId: newId(), role: "owner" as const, sessionId: newId() } };
    await expect(auth.operatorStepUp(proof, owner)).rejects.toEqual(refusal("invalid_credentials"));
  });

  test("is open all its life to a session that a link opened in development: there is nothing to show again", async () => {
    const { token } = await signInByLink(await createDevelopmentLink(), true);
    const [row] = await systemQuery<{ isSame: boolean }>(
      "test",
      `select proven_at = expires_at as "isSame" from auth.operator_session where id = $1`,
      [(await readOperatorToken(token)).sessionId],
    );
    expect(row).toEqual({ isSame: true });
    expect(await refusals(token)).toEqual([]);
  });
});

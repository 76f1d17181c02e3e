// What must hold when the same thing is shown many times at once: on a server, where it really is at once.
import { URI, type TOTP } from "otpauth";
import { expect, test } from "vitest";
import { callerFrom } from "../../security/principal";
import { concurrent } from "../../testing";
import { beginTotp, confirmTotp } from "../factors/enrolment";
import { completeSecondFactor } from "../factors/second-factor";
import { register, type Registered } from "../registration";
import { signIn } from "../sessions";
import { readAccessToken } from "../tokens";
import { newcomer, password, reason } from "./people";

const t0 = new Date();
const next = new Date(t0.getTime() + 30_000);
/** Limits count by address. */
const from = (n: number): string => `198.51.100.${n}`;

async function secured(): Promise<{ person: Registered; code: string; recoveryCodes: string[] }> {
  const person = await register(newcomer(), t0);
  const caller = callerFrom(await readAccessToken(person.accessToken, t0));
  const app = URI.parse((await beginTotp(caller)).uri) as TOTP;
  const confirming = app.generate({ timestamp: t0.getTime() });
  const confirmed = await concurrent(5, () => confirmTotp(caller, confirming, t0));
  const [codes] = confirmed.flatMap((ended) => (ended.status === "fulfilled" ? [ended.value] : []));
  expect(
    confirmed.filter(({ status }) => status === "fulfilled"),
    "confirmed at once",
  ).toHaveLength(1);
  return { person, code: app.generate({ timestamp: next.getTime() }), recoveryCodes: codes ?? [] };
}

const challengeOf = async ({ user }: Registered): Promise<string> => {
  const refusal: unknown = await signIn({ email: user.email, password }, t0, from(0)).catch((error: unknown) => error);
  return (refusal as { details: { challenge: string } }).details.challenge;
};

const CLIENTS = 20;

async function succeeding(proofs: (n: number) => Promise<Parameters<typeof completeSecondFactor>[0]>): Promise<number> {
  const all = await Promise.all(Array.from({ length: CLIENTS }, (_, n) => proofs(n)));
  const ended = await concurrent(CLIENTS, (n) => {
    const proof = all[n];
    if (proof === undefined) throw new Error("no proof");
    return completeSecondFactor(proof, t0, from(n), null);
  });
  for (const { status, ...rest } of ended)
    if (status === "rejected")
      expect(["challenge_invalid", "second_factor_invalid"]).toContain(
        await reason(Promise.reject((rest as { reason: Error }).reason)),
      );
  return ended.filter(({ status }) => status === "fulfilled").length;
}

test("of many who show one code for one challenge, or each for a challenge of their own, one is signed in", async () => {
  const one = await secured();
  const challenge = await challengeOf(one.person);
  expect(await succeeding(async () => ({ challenge, code: one.code }))).toBe(1);
  const two = await secured();
  expect(await succeeding(async () => ({ challenge: await challengeOf(two.person), code: two.code }))).toBe(1);
});

test("of many who show one recovery code, one is signed in; ten codes for one challenge give one session", async () => {
  const one = await secured();
  const recoveryCode = one.recoveryCodes[0] ?? "";
  expect(await succeeding(async () => ({ challenge: await challengeOf(one.person), recoveryCode }))).toBe(1);
  const two = await secured();
  const challenge = await challengeOf(two.person);
  expect(await succeeding(async (n) => ({ challenge, recoveryCode: two.recoveryCodes[n % 10] ?? "" }))).toBe(1);
});

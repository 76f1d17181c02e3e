// The platform's staff of a test, and short ways to ask what became of them.
import { Secret, TOTP } from "otpauth";
import { expect } from "vitest";
import { entryList } from "../../audit/store";
import { systemQuery } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { addOperator } from "../operators/operators";
import { recordRefusal, refusalJob } from "../operators/refusal";
import { beginSetup, completeSetup, signInOperator } from "../operators/sign-in";

export const ADDRESS = "203.0.113.20";
export const PASSWORD = "a passphrase of many words";
let count = 0;
export const newEmail = (): string => `staff-${process.pid}-${++count}@example.com`;

/** An app whose clock we hold: codes count once, so each sign-in needs a later one. */
export const clock = { nowMs: Date.now() };
export const later = (): Date => new Date((clock.nowMs += 60_000));
export const codeOf = (secret: string, at: Date): string =>
  new TOTP({ secret: Secret.fromBase32(secret) }).generate({ timestamp: at.getTime() });

export interface Staff {
  email: string;
  secret: string;
}

export async function makeOperator(email = newEmail()): Promise<Staff> {
  const { setupToken } = await addOperator(email);
  const { secret } = await beginSetup({ setupToken, password: PASSWORD }, ADDRESS);
  const at = later();
  await completeSetup({ setupToken, code: codeOf(secret, at) }, at, ADDRESS);
  return { email, secret };
}

export function signIn({ email, secret }: Staff, over: { password?: string; code?: string } = {}): Promise<string> {
  const at = later();
  const input = { email, password: PASSWORD, code: codeOf(secret, at), ...over };
  return signInOperator(input, at, ADDRESS).then(({ token }) => token);
}

export const refusal = (reason: string): unknown =>
  expect.objectContaining({ details: expect.objectContaining({ reason }) as unknown });

/** Runs the jobs of refused sign-ins, as a worker would. */
export async function recordRefusals(): Promise<void> {
  const jobs = await systemQuery<{ payload: unknown }>(
    "test",
    `update events.outbox set published_at = now() where destination = 'job' and type = $1 and published_at is null returning payload`,
    [refusalJob.name],
  );
  for (const { payload } of jobs) await recordRefusal(refusalJob.payload.parse(payload), null);
}

export const logOf = async (id: string): Promise<{ action: string; actor: string; fields: object }[]> => {
  const { rows } = await entryList({ tenantId: tenantIdFrom(id) }, undefined, 100, undefined);
  return rows.map(({ action, actor, fields }) => ({ action, actor, fields }));
};

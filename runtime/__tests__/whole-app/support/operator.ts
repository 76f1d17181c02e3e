// One of the platform's staff, made by command on the machine of the running app, who signs in with password and code.
import { Secret, TOTP } from "otpauth";
import type { CommandsBeside } from "./commands-beside";
import { call, type PairSend } from "./pairs/world";

export interface MadeOperator {
  token: string;
  /** What the command printed, for the first password. */
  setupToken: string;
  /** Of the authenticator app, in base32. */
  secret: string;
}

export async function makeOperator(
  send: PairSend,
  admin: CommandsBeside["admin"],
  email: string,
  password: string,
): Promise<MadeOperator> {
  const printed = await admin("operator", "add", email);
  const setupToken = printed.split(/\s+/).find((word) => word.startsWith("gws_")) ?? "";
  const begun = { setupToken, password };
  const { secret } = await call<{ secret: string }>(send, "POST", "/operator/setup", begun);
  const app = new TOTP({ secret: Secret.fromBase32(secret) });
  // A code counts once: the second is of the next step.
  await call(send, "POST", "/operator/setup/confirm", { setupToken, code: app.generate() });
  const code = app.generate({ timestamp: Date.now() + 30_000 });
  const { token } = await call<{ token: string }>(send, "POST", "/operator/login", { email, password, code });
  return { token, setupToken, secret };
}

// Secrets of every kind, planted in the running app by its own endpoints: what must be found nowhere afterwards.
import { Secret, TOTP } from "otpauth";
import { UNDELIVERABLE, type MailSink } from "./mail-sink";

export interface Ask {
  /** The answer's body; throws for one that refuses. */
  call: <T>(method: string, path: string, body?: unknown, token?: string) => Promise<T>;
  /** Whatever the answer is, with the cookies that it sets. */
  tryTo: (
    path: string,
    body: unknown,
    token?: string,
    method?: string,
  ) => Promise<{ status: number; text: string; cookies: string[] }>;
  mails: MailSink;
}

interface Session {
  accessToken: string;
  refreshToken: string;
}

/** Each with what it is, for the message of a failure. */
export type Planted = Map<string, string>;

/** In the environment of the app, which `planted` is told. */
export function plantInEnvironment(planted: Planted): Record<string, string> {
  const env = {
    MasterKey: `master-key-planted-${crypto.randomUUID()}`,
    EmbeddingsApiKey: `embeddings-planted-${crypto.randomUUID()}`,
    METRICS_TOKEN: `metrics-planted-${crypto.randomUUID()}`,
    OTEL_EXPORTER_OTLP_HEADERS: `x-collector=collector-planted-${crypto.randomUUID()}`,
  };
  for (const [name, value] of Object.entries(env)) planted.set(value.replace("x-collector=", ""), name);
  return env;
}

/** One person, who does everything that handles a secret, right and wrong. */
export async function plantPerson(ask: Ask, planted: Planted, name: string): Promise<void> {
  const { call } = ask;
  const keep = (what: string, text: string): string => {
    planted.set(text, `${what} of ${name}`);
    return text;
  };
  const made = (what: string): string => keep(what, `${what} ${crypto.randomUUID()}`);
  const keepSession = (session: Session): string => {
    keep("refresh token", session.refreshToken);
    return keep("access token", session.accessToken);
  };
  const email = `${name}@planted.example`;
  const first = made("first password");
  const registered = await call<Session>("POST", "/auth/register", { email, password: first, organisation: name });
  const token = keepSession(registered);
  // Another password would end the link.
  const link = keep("link to verify", await ask.mails.token(email, "/verify-email"));
  await call("POST", "/auth/verify-email", { token: link });
  const refused = async (path: string, body: unknown, bearer?: string, method?: string): Promise<string> => {
    const { status, text } = await ask.tryTo(path, body, bearer, method);
    if (status < 400) throw new Error(`${path} took what is wrong`);
    return text;
  };
  await refused("/auth/login", { email, password: made("wrong password") });
  await refused("/auth/refresh", { refreshToken: made("wrong refresh token") });
  await refused("/auth/password/reset", { token: made("wrong reset token"), password: made("never set password") });
  await refused(
    "/auth/password/change",
    { current: made("wrong current password"), password: made("refused password") },
    token,
  );
  const second = made("second password");
  await call("POST", "/auth/password/change", { current: first, password: second }, token);
  const browser = await ask.tryTo("/auth/login", { email, password: second, cookies: true });
  // One says only which account is chosen.
  const cookies = browser.cookies.filter((value) => value.length > 36);
  if (cookies.length === 0) throw new Error("a browser that signs in is given no cookie");
  for (const cookie of cookies) keep("cookie", cookie);
  await call("PUT", "/secrets/model-provider", { value: made("secret of the organisation") }, token);
  await call("PUT", "/secrets/model-provider", { value: made("replaced secret of the organisation") }, token);
  const provider = {
    issuer: "https://127.0.0.1:9/planted",
    clientId: "planted",
    clientSecret: made("secret of the OIDC client"),
  };
  await refused("/auth/identity-provider", provider, token, "PUT");
  const { key } = await call<{ key: string }>("POST", "/auth/api-keys", { name: "planted" }, token);
  await call("GET", "/vectors/documents", undefined, keep("API key", key));
  const machine = await call<{ id: string }>(
    "POST",
    "/auth/service-principals",
    { name, permissions: ["document.read"] },
    token,
  );
  const machines = await call<{ key: string }>(
    "POST",
    "/auth/api-keys",
    { name, servicePrincipalId: machine.id },
    token,
  );
  await call("GET", "/vectors/documents", undefined, keep("key of a machine", machines.key));
  const { secret } = await call<{ secret: string }>("POST", "/auth/factors/totp", {}, token);
  keep("secret of the authenticator app", secret);
  const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate();
  const confirmed = await call<{ recoveryCodes: string[] }>("POST", "/auth/factors/totp/confirm", { code }, token);
  for (const recovery of confirmed.recoveryCodes) keep("recovery code", recovery);
  const asked = JSON.parse(await refused("/auth/login", { email, password: second })) as {
    details: { challenge: string };
  };
  keep("challenge of a sign-in", asked.details.challenge);
  await plantMailed(ask, keep, { name, email, token });
}

/** Links of each kind that mails have, used and not; and a mail that cannot be delivered at all. */
async function plantMailed(
  { call, mails }: Ask,
  keep: (what: string, text: string) => string,
  { name, email, token }: { name: string; email: string; token: string },
): Promise<void> {
  const mailed = async (what: string, to: string, page: string): Promise<string> =>
    keep(what, await mails.token(to, page));
  await call("POST", "/auth/password/forgot", { email });
  await mailed("link to reset", email, "/reset-password");
  for (const to of [`${name}-guest@planted.example`, `${name}-guest@${UNDELIVERABLE}`])
    await call("POST", "/auth/invitations", { email: to, role: "viewer" }, token);
  await mailed("link of an invitation", `${name}-guest@planted.example`, "/accept-invitation");
  const next = `${name}-next@planted.example`;
  await call("POST", "/auth/email/change", { email: next }, token);
  await call("POST", "/auth/email/confirm", { token: await mailed("link to change", next, "/change-email") });
  await mailed("link to revert", email, "/revert-email");
  await call("POST", "/auth/account/delete", {}, token);
  await mailed("link to restore", next, "/restore-account");
}

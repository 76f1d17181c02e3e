// Secrets of every kind, planted in the running app by its own endpoints: what must be found nowhere afterwards.
import { Secret, TOTP } from "otpauth";

type Call = <T>(method: string, path: string, body?: unknown, token?: string) => Promise<T>;

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
export async function plantPerson(call: Call, planted: Planted, name: string): Promise<void> {
  const made = (what: string): string => {
    const text = `${what} ${crypto.randomUUID()}`;
    planted.set(text, `${what} of ${name}`);
    return text;
  };
  const keep = (what: string, text: string): string => {
    planted.set(text, `${what} of ${name}`);
    return text;
  };
  const keepSession = (session: Session): string => {
    keep("refresh token", session.refreshToken);
    return keep("access token", session.accessToken);
  };
  const email = `${name}@planted.example`;
  const first = made("first password");
  const registered = await call<Session>("POST", "/auth/register", { email, password: first, organisation: name });
  const token = keepSession(registered);
  const refused = (path: string, body: unknown, bearer?: string): Promise<unknown> =>
    call("POST", path, body, bearer).then(
      () => Promise.reject(new Error(`${path} took what is wrong`)),
      () => undefined,
    );
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
  await call("PUT", "/secrets/model-provider", { value: made("secret of the organisation") }, token);
  await call("PUT", "/secrets/model-provider", { value: made("replaced secret of the organisation") }, token);
  const { key } = await call<{ key: string }>("POST", "/auth/api-keys", { name: "planted" }, token);
  await call("GET", "/vectors/documents", undefined, keep("API key", key));
  const { secret } = await call<{ secret: string }>("POST", "/auth/factors/totp", {}, token);
  keep("secret of the authenticator app", secret);
  const code = new TOTP({ secret: Secret.fromBase32(secret) }).generate();
  const confirmed = await call<{ recoveryCodes: string[] }>("POST", "/auth/factors/totp/confirm", { code }, token);
  for (const recovery of confirmed.recoveryCodes) keep("recovery code", recovery);
}

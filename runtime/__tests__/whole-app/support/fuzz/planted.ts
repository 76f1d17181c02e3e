// Secrets of every kind, planted in the running app by its own endpoints and its environment: what must be found nowhere afterwards.
import { Secret, TOTP } from "otpauth";
import type { CommandsBeside } from "../commands-beside";
import { makeOperator } from "../operator";
import type { PairSend } from "../pairs/world";
import { JSON_TYPE, type Asker } from "./asker";
import { UNDELIVERABLE, type MailSink } from "./mail-sink";
import type { Outside } from "./outside";

export interface Ask {
  asker: Asker;
  mails: MailSink;
}

interface Session {
  accessToken: string;
  refreshToken: string;
}

/** What the provider of sign-ins is called in the app's configuration. */
export const OPENID = "elsewhere";

/** Each with what it is, for the message of a failure. */
export type Planted = Map<string, string>;

/** In the environment of the app, which `planted` is told. */
export function plantInEnvironment(planted: Planted): Record<string, string> {
  const env = {
    EmbeddingsApiKey: `embeddings-planted-${crypto.randomUUID()}`,
    METRICS_TOKEN: `metrics-planted-${crypto.randomUUID()}`,
    OTEL_EXPORTER_OTLP_HEADERS: `x-collector=collector-planted-${crypto.randomUUID()}`,
  };
  for (const [name, value] of Object.entries(env)) planted.set(value.replace("x-collector=", ""), name);
  return env;
}

/** Which of the planted secrets a text holds, by what they are. */
export const plantedIn = (planted: Planted, text: string): string[] =>
  [...planted].filter(([secret]) => text.includes(secret)).map(([, what]) => what);

export const metricsTokenIn = (planted: Planted): string =>
  [...planted].find(([, what]) => what === "METRICS_TOKEN")?.[0] ?? "";

/** Keeps what is a secret of `name`, and gives it back; or makes one. */
function planter(planted: Planted, name: string): { keep: Keep; made: (what: string) => string } {
  const keep: Keep = (what, text) => {
    if (text === "") throw new Error(`${name} was given no ${what}`);
    planted.set(text, `${what} of ${name}`);
    return text;
  };
  return { keep, made: (what) => keep(what, `${what} ${crypto.randomUUID()}`) };
}
type Keep = (what: string, text: string) => string;

/** One of the platform's staff, made by command, right and wrong. Resolves with the token of the session. */
export async function plantOperator(asker: Asker, planted: Planted, admin: CommandsBeside["admin"]): Promise<string> {
  const { keep, made } = planter(planted, "an operator");
  const email = "operator@planted.example";
  const password = made("password");
  const send: PairSend = async (request) => {
    const { status, body } = await asker.send(
      request.body === undefined ? request : { ...request, headers: { ...JSON_TYPE, ...request.headers } },
    );
    return { status, headers: {}, text: body };
  };
  const { token, setupToken, secret } = await makeOperator(send, admin, email, password);
  keep("secret of the authenticator app", secret);
  keep("token for the set-up", setupToken);
  const wrong = { email, password: made("wrong password"), code: "000000" };
  const { status } = await asker.tryTo("/operator/login", wrong);
  if (status !== 401) throw new Error(`an operator with a wrong password was answered ${status}`);
  return keep("token", token);
}

/** One person, who does everything that handles a secret, right and wrong. */
export async function plantPerson(ask: Ask, planted: Planted, name: string): Promise<void> {
  const { asker } = ask;
  const call = asker.call.bind(asker);
  const { keep, made } = planter(planted, name);
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
    const attempt = { ...(bearer === undefined ? {} : { token: bearer }), ...(method === undefined ? {} : { method }) };
    const { status, text } = await asker.tryTo(path, body, attempt);
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
  const browser = await asker.tryTo("/auth/login", { email, password: second, cookies: true });
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
  { asker, mails }: Ask,
  keep: Keep,
  { name, email, token }: { name: string; email: string; token: string },
): Promise<void> {
  const call = asker.call.bind(asker);
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

/** What only comes by the servers around the app: a sign-in at a provider, by mail, calls of models by keys, a file in a store. */
export async function plantElsewhere(
  { asker, mails }: Ask,
  planted: Planted,
  name: string,
  { openId, models }: Outside,
): Promise<void> {
  const { keep, made } = planter(planted, name);
  const call = asker.call.bind(asker);
  const email = `${name}-elsewhere@planted.example`;
  const begun = await asker.tryTo("/auth/oidc/begin", { provider: OPENID });
  const browser = keep("cookie of a sign-in at a provider", begun.cookies[0] ?? "");
  const { url } = JSON.parse(begun.text) as { url: string };
  const back = await openId.visit(url, { sub: name, email, email_verified: true });
  for (const part of ["code", "state"]) keep(`${part} of a provider`, new URL(back).searchParams.get(part) ?? "");
  const signedIn = await asker.tryTo("/auth/oidc/complete", { url: back }, { cookie: `__Host-oidc=${browser}` });
  const { accessToken: token, refreshToken } = JSON.parse(signedIn.text) as Session;
  keep("access token by a provider", token);
  keep("refresh token by a provider", refreshToken);
  await call("POST", "/auth/step-up/mail", undefined, token);
  const wrong = await asker.tryTo("/auth/step-up", { mailedCode: made("wrong mailed code") }, { token });
  if (wrong.status < 400) throw new Error("a wrong code was taken");
  const code = keep("mailed code", await mails.code(email));
  const { accessToken: fresh } = await call<Session>("POST", "/auth/step-up", { mailedCode: code }, token);
  keep("access token by a mailed code", fresh);
  const { id } = await call<{ id: string }>("POST", "/auth/organisations", { name }, fresh);
  const switched = await call<Session>("POST", "/auth/switch", { organisationId: id }, fresh);
  keep("refresh token of another organisation", switched.refreshToken);
  const own = keep("access token of another organisation", switched.accessToken);
  await plantKeys(asker, keep, own, models);
  await call("POST", "/assets?name=planted.json", { words: "kept in the store of files" }, own);
}

/** Of the installation, and of an organisation's own: one that a provider takes, and one that it refuses. */
async function plantKeys(asker: Asker, keep: Keep, token: string, models: Outside["models"]): Promise<void> {
  const ask = (model: string) => asker.tryTo("/ai/generate", { prompt: "Which port?", model }, { token });
  const answered = async (model: string): Promise<void> => {
    const { status, text } = await ask(model);
    if (status !== 200) throw new Error(`${model} was answered ${status}: ${text}`);
  };
  await answered("only-openai");
  await ask("only-mistral");
  const madeKey = (what: string): string => keep(what, `sk-planted-${crypto.randomUUID()}`);
  const own = madeKey("key of a provider");
  await asker.call("PUT", "/secrets/ai.openai", { value: own }, token);
  await asker.call("PUT", "/secrets/ai.mistral", { value: madeKey("refused key of a provider") }, token);
  await answered("only-openai");
  await ask("only-mistral");
  // The fuzzer may ask for what it likes.
  models.does.mistral = models.does.openai;
  if (!models.seen.some(({ key }) => key === own))
    throw new Error("no provider was ever asked by the organisation's key");
}

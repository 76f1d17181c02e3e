// How Vault or OpenBao is spoken to, by the documented HTTP contract: sign-in by token, AppRole or Kubernetes, then requests that
// are bounded, asked again while Vault is not there or not ready, and whose errors tell what was asked and Vault's own words,
// never a value (https://developer.hashicorp.com/vault/api-docs, …/auth/approle, …/auth/kubernetes).
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { InfraError } from "../infra/errors";

export type Env = Readonly<Record<string, string | undefined>>;

const SERVICE_ACCOUNT_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/** How long one request may take, and the pauses before it is sent again. */
export interface Patience {
  requestMs: number;
  pausesMs: readonly number[];
}

/** A Vault that restarts or elects a new leader is back within seconds; one that is down or hangs stops the start soon enough. */
const PATIENCE: Patience = { requestMs: 5_000, pausesMs: [250, 1_000, 3_000] };
/** The largest request that Vault takes by default, so no secret is larger. */
const MAX_ANSWER_BYTES = 32 << 20;

/** Sends one request; what 404 means depends on what was asked for. @throws InfraError */
export type Ask = (method: string, path: string, body: unknown, missing: string) => Promise<unknown>;

/**
 * One sign-in for all that a start or a command asks Vault for, made when it first asks: an AppRole's secret id may be good for
 * one (`secret_id_num_uses`).
 */
export class VaultSession {
  private opened: Promise<{ vault: Vault; isOwn: boolean }> | undefined;

  constructor(
    private readonly env: Env,
    private readonly patience: Patience = PATIENCE,
  ) {}

  /** `variable` asks for Vault. @throws InfraError */
  for(variable: string): Ask {
    return async (method, path, body, missing) => {
      this.opened ??= this.open(variable);
      const { vault } = await this.opened;
      return ask(vault, method, path, body, missing);
    };
  }

  private async open(variable: string): Promise<{ vault: Vault; isOwn: boolean }> {
    const vault = vaultOf(this.env, variable, this.patience);
    return { vault, isOwn: await signIn(vault, this.env) };
  }

  /** Ends a token that was made here. */
  async close(): Promise<void> {
    const opened = await this.opened?.catch(() => undefined);
    // Asked once: it ends by itself too, and the start waits for it.
    if (opened?.isOwn === true) await once(opened.vault, "POST", "auth/token/revoke-self", {}, "");
  }
}

/** Runs `act` with a session that is closed behind it. */
export async function withVault<T>(
  env: Env,
  act: (session: VaultSession) => Promise<T>,
  patience?: Patience,
): Promise<T> {
  const session = new VaultSession(env, patience);
  try {
    return await act(session);
  } finally {
    await session.close();
  }
}

interface Vault {
  address: string;
  patience: Patience;
  headers: Record<string, string>;
}

function vaultOf(env: Env, variable: string, patience: Patience): Vault {
  const address = env.VAULT_ADDR ?? env.BAO_ADDR;
  if (!address || !URL.canParse(address) || !/^https?:$/.test(new URL(address).protocol))
    throw new InfraError(
      `${variable} is set and VAULT_ADDR is not the address of a Vault: give it as https://host:8200`,
    );
  const namespace = env.VAULT_NAMESPACE ?? env.BAO_NAMESPACE;
  return {
    address: address.replace(/\/$/, ""),
    patience,
    headers: { "X-Vault-Request": "true", ...(namespace ? { "X-Vault-Namespace": namespace } : {}) },
  };
}

/** Gives the vault a token; true when it was made here. */
async function signIn(vault: Vault, env: Env): Promise<boolean> {
  const given = env.VAULT_TOKEN ?? env.BAO_TOKEN;
  if (given) {
    vault.headers["X-Vault-Token"] = given;
    return false;
  }
  const [kind, body] = credentialsOf(env);
  const answer = await ask(
    vault,
    "POST",
    `auth/${env.VAULT_AUTH_MOUNT ?? kind}/login`,
    body,
    "nothing is there: look at VAULT_AUTH_MOUNT",
  );
  const token = (answer as { auth?: { client_token?: unknown } }).auth?.client_token;
  if (typeof token !== "string") throw new InfraError("Vault signed nobody in: its answer has no token");
  vault.headers["X-Vault-Token"] = token;
  return true;
}

function credentialsOf(env: Env): ["approle" | "kubernetes", Record<string, string>] {
  if (env.VAULT_ROLE_ID)
    return [
      "approle",
      { role_id: env.VAULT_ROLE_ID, ...(env.VAULT_SECRET_ID ? { secret_id: env.VAULT_SECRET_ID } : {}) },
    ];
  if (env.VAULT_KUBERNETES_ROLE)
    return ["kubernetes", { role: env.VAULT_KUBERNETES_ROLE, jwt: serviceAccountToken(env) }];
  throw new InfraError(
    "nothing says how to sign in to Vault: set VAULT_TOKEN, VAULT_ROLE_ID and VAULT_SECRET_ID, or VAULT_KUBERNETES_ROLE",
  );
}

function serviceAccountToken(env: Env): string {
  const file = env.VAULT_KUBERNETES_TOKEN_FILE ?? SERVICE_ACCOUNT_TOKEN;
  try {
    return readFileSync(file, "utf8").trim();
  } catch (error) {
    throw new InfraError(
      `${file}, the service account's token, cannot be read (${(error as NodeJS.ErrnoException).code ?? "unknown"}): VAULT_KUBERNETES_ROLE is for pods`,
    );
  }
}

async function ask(vault: Vault, method: string, path: string, body: unknown, missing: string): Promise<unknown> {
  for (let attempt = 0; ; attempt++) {
    const outcome = await once(vault, method, path, body, missing);
    if (!("problem" in outcome)) return outcome.answer;
    const pauseMs = outcome.isPassing ? vault.patience.pausesMs[attempt] : undefined;
    if (pauseMs === undefined) throw new InfraError(`${vault.address}/v1/${path}: ${outcome.problem}`);
    await sleep(pauseMs);
  }
}

type Outcome = { answer: unknown } | { problem: string; isPassing: boolean };

async function once(
  { address, headers, patience }: Vault,
  method: string,
  path: string,
  body: unknown,
  missing: string,
): Promise<Outcome> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(`${address}/v1/${path}`, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      redirect: "manual",
      signal: AbortSignal.timeout(patience.requestMs),
    });
    text = await limitedText(response);
  } catch (error) {
    return { problem: `no answer (${causeOf(error)}): is VAULT_ADDR right, and Vault up?`, isPassing: true };
  }
  if (response.ok) return answerOf(text);
  return {
    problem: `${response.status}: ${remedyFor(response.status, path, missing)}${wordsOf(text)}`,
    isPassing: response.status >= 500,
  };
}

async function limitedText(response: Response): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of (response.body ?? []) as AsyncIterable<Uint8Array>) {
    parts.push(part);
    if ((bytes += part.length) > MAX_ANSWER_BYTES) throw new Error("the answer does not end");
  }
  return Buffer.concat(parts).toString();
}

function answerOf(text: string): Outcome {
  try {
    return { answer: text === "" ? {} : (JSON.parse(text) as unknown) };
  } catch {
    return { problem: "the answer is no JSON: VAULT_ADDR is not that of a Vault", isPassing: false };
  }
}

const REFUSED_SIGN_IN = "the sign-in was refused: look at the role and its credentials";

function remedyFor(status: number, path: string, missing: string): string {
  if (status === 403) return "refused: the token or role lacks the right to read this path, or has ended";
  if (status === 404) return missing;
  if (status === 400) return path.endsWith("/login") ? REFUSED_SIGN_IN : "it was refused as it was asked";
  if (status === 503) return "Vault is sealed or under maintenance";
  if (status >= 300 && status < 400) return "sent elsewhere: give VAULT_ADDR as the address that answers";
  return "refused";
}

/** What Vault says itself: texts of its own, which name paths and no values. */
function wordsOf(text: string): string {
  try {
    const { errors } = JSON.parse(text) as { errors?: unknown };
    const words = Array.isArray(errors)
      ? errors
          .filter((one): one is string => typeof one === "string")
          .join("; ")
          .trim()
      : "";
    return words === "" ? "" : ` (${words.slice(0, 300)})`;
  } catch {
    return "";
  }
}

function causeOf(error: unknown): string {
  const { cause, message, name } = error as Error & { cause?: { code?: string } };
  return cause?.code ?? (name === "TimeoutError" ? "timed out" : message);
}

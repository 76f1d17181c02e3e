// Secrets that are kept as ciphertexts of a transit engine of Vault or OpenBao ("vault:v3:…"): whoever has the file, the variable
// or the backup of it has nothing without Vault's key, which never leaves Vault. They are opened once, before a command reads
// the environment; afterwards Vault may be away. Each is bound to its secret's name by associated data (AEAD keys:
// aes256-gcm96, which is the default, and chacha20-poly1305), so that one cannot be put in another's place.
// https://developer.hashicorp.com/vault/api-docs/secret/transit; docs/adr/0011.
import { InfraError } from "../infra/errors";
import type { Ask, Env, VaultSession } from "./vault-client";

const VARIABLE = "GROUNDWORK_VAULT_TRANSIT";
/** Of Vault: the version of the key stands in front. A value may hold several, as MasterKey does while it is replaced. */
const CIPHERTEXT = /^vault:v\d{1,10}:[A-Za-z0-9+/=]+$/;
const SEPARATOR = /([\s,]+)/;
/** Of one value; MasterKey holds ten at most. */
const PARTS_MAX = 100;

export const isSealed = (value: string): boolean =>
  value.includes("vault:v") && value.split(SEPARATOR, PARTS_MAX).some((part) => CIPHERTEXT.test(part));

interface Key {
  mount: string;
  name: string;
}

function keyOf(env: Env): Key {
  const parts = (env[VARIABLE] ?? "").split("/").filter((part) => part !== "");
  const name = parts.pop();
  if (name === undefined || parts.length === 0)
    throw new InfraError(
      `${VARIABLE} is "${env[VARIABLE] ?? ""}": give the engine's mount and the key's name, for example transit/groundwork`,
    );
  return { mount: parts.join("/"), name: encodeURIComponent(name) };
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");
const boundTo = (secret: string): { associated_data: string } => ({ associated_data: base64(`groundwork:${secret}`) });

/** Opens every value that is a ciphertext, in place. @throws InfraError that names the secret */
export async function unsealInPlace(env: NodeJS.ProcessEnv, session: VaultSession): Promise<void> {
  const sealed = Object.entries(env).filter(([, value]) => value !== undefined && isSealed(value));
  if (sealed.length === 0) return;
  if (!env[VARIABLE])
    throw new InfraError(
      `${sealed.map(([name]) => name).join(", ")}: sealed by a transit engine, and ${VARIABLE} does not name its key: set it, for example to transit/groundwork`,
    );
  const key = keyOf(env);
  const opened: [string, string][] = [];
  for (const [name, value = ""] of sealed)
    opened.push([name, await openValue(session.for(VARIABLE), key, name, value)]);
  Object.assign(env, Object.fromEntries(opened));
}

/** Every ciphertext of a value for what `change` makes of it; what stands between them stays. */
async function eachPart(value: string, change: (part: string) => Promise<string>): Promise<string> {
  const parts: string[] = [];
  for (const part of value.split(SEPARATOR)) parts.push(CIPHERTEXT.test(part) ? await change(part) : part);
  return parts.join("");
}

const openValue = (ask: Ask, key: Key, name: string, value: string): Promise<string> =>
  eachPart(value, async (ciphertext) => {
    const answer = await asked(ask, key, "decrypt", name, { ciphertext, ...boundTo(name) });
    return Buffer.from(textIn(answer, "plaintext", name), "base64").toString();
  });

/** A value as the ciphertext of the key's newest version, for the secret of this name. @throws InfraError */
export async function sealValue(env: Env, name: string, value: string, session: VaultSession): Promise<string> {
  const key = keyOf(env);
  const body = { plaintext: base64(value), ...boundTo(name) };
  return textIn(await asked(session.for(VARIABLE), key, "encrypt", name, body), "ciphertext", name);
}

/** A sealed value under the key's newest version, without anybody seeing what it is. @throws InfraError */
export async function rewrapValue(env: Env, name: string, value: string, session: VaultSession): Promise<string> {
  const key = keyOf(env);
  const ask = session.for(VARIABLE);
  return eachPart(value, async (ciphertext) =>
    textIn(await asked(ask, key, "rewrap", name, { ciphertext, ...boundTo(name) }), "ciphertext", name),
  );
}

async function asked(ask: Ask, { mount, name: key }: Key, act: string, secret: string, body: object): Promise<unknown> {
  try {
    return await ask(
      "POST",
      `${mount}/${act}/${key}`,
      body,
      "nothing is there: look at the mount, which must be a transit engine",
    );
  } catch (error) {
    if (!(error instanceof InfraError)) throw error;
    throw new InfraError(
      `${secret}: ${error.message}. A ciphertext is for one secret's name and one key, whose version must still be allowed (min_decryption_version)`,
    );
  }
}

function textIn(answer: unknown, field: string, secret: string): string {
  const text = (answer as { data?: Record<string, unknown> }).data?.[field];
  if (typeof text === "string" && text !== "") return text;
  throw new InfraError(`${secret}: the transit engine's answer has no ${field}`);
}

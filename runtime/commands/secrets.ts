// `groundwork secrets seal NAME | rewrap NAME`: ciphertexts of a transit engine, to be kept where the secret's value would be.
// The value comes from a pipe, or is a new random one that nobody has seen; only the ciphertext is printed.
import { randomBytes } from "node:crypto";
import { text } from "node:stream/consumers";
import { gatherFromSources } from "../secrets/sources";
import { isSealed, rewrapValue, sealValue } from "../secrets/transit";
import { withVault, type VaultSession } from "../secrets/vault-client";
import { UsageError } from "./app-root";
import type { CommandInput } from "./command-input";

const RANDOM_BYTES = 32;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

export async function secretsCommand(
  { words: [act, name = ""], env }: CommandInput,
  input: NodeJS.ReadStream | NodeJS.ReadableStream = process.stdin,
): Promise<void> {
  if ((act !== "seal" && act !== "rewrap") || !NAME.test(name))
    throw new UsageError("groundwork secrets seal NAME (the value from a pipe, or a random one) | rewrap NAME");
  const value = act === "seal" ? await valueFrom(input) : undefined;
  // What the sources fill in may say how to sign in.
  const copy = { ...env };
  const sealed = await withVault(copy, (session) =>
    value === undefined ? rewrapped(copy, name, session) : sealValue(copy, name, value, session),
  );
  process.stdout.write(`${sealed}\n`);
}

async function valueFrom(input: NodeJS.ReadStream | NodeJS.ReadableStream): Promise<string> {
  if ("isTTY" in input && input.isTTY) return randomBytes(RANDOM_BYTES).toString("base64url");
  const value = (await text(input)).replace(/\r?\n$/, "");
  if (value === "") throw new UsageError("the value from the pipe is empty");
  return value;
}

/** Of the value that a start would take. */
async function rewrapped(env: NodeJS.ProcessEnv, name: string, session: VaultSession): Promise<string> {
  await gatherFromSources(env, session);
  const value = env[name];
  if (value === undefined || !isSealed(value))
    throw new UsageError(`${name} is not sealed by a transit engine: \`secrets seal ${name}\` makes it so`);
  return rewrapValue(env, name, value, session);
}

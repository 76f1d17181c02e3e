// The master keys that a database has known, and the end of one. While a key is being replaced both let tenants in, and
// both open envelopes; when nothing is sealed with the old one any more, it is retired by command: its tokens are deleted,
// and no process comes in with it as its first key again (docs/adr/0008-row-security-as-a-capability.md).
import { logger } from "../telemetry/logger";
import { masterKeyIds } from "./capability";
import { masterKeyList, masterKeyRetire, type MasterKeyRow } from "./store";
import { withSystem, type Tx } from "./tenant";

/** How many rows of a kind one master key has sealed. */
export interface SealedRows {
  what: string;
  /** Hexadecimal. */
  keyId: string;
  rows: number;
}

export interface KnownMasterKey extends MasterKeyRow {
  /** Whether the secret MasterKey of this process has it, and as the first. */
  standing: "present" | "set" | "not set";
}

/** Those that were ever the first of a process's. */
export async function listMasterKeys(): Promise<KnownMasterKey[]> {
  const [present, ...others] = masterKeyIds();
  const rows = await withSystem("retire-master-key", masterKeyList);
  return rows.map((row) => ({
    ...row,
    standing: row.id === present ? "present" : others.includes(row.id) ? "set" : "not set",
  }));
}

export class MasterKeyInUseError extends Error {
  override readonly name = "MasterKeyInUseError";
}

const STATEMENT_TIMEOUT_MS = 600_000;

/**
 * Deletes the tokens of a master key and lets none of it in again; `note` writes it down in the same transaction.
 * Resolves with how many, undefined when there is no such key or it is retired already.
 * @throws MasterKeyInUseError when this process acts by it, or something is still sealed with it.
 */
export async function retireMasterKey(
  id: string,
  sealed: readonly SealedRows[],
  note: (tx: Tx) => Promise<void>,
): Promise<number | undefined> {
  if (masterKeyIds()[0] === id)
    throw new MasterKeyInUseError(`${id} is the first in the secret MasterKey: put the one that replaces it first`);
  const left = sealed.filter(({ keyId, rows }) => keyId === id && rows > 0);
  if (left.length > 0)
    throw new MasterKeyInUseError(
      `${id} has sealed ${left.map(({ what, rows }) => `${what} (${rows})`).join(", ")}: the hourly upkeep seals them with the present key, and answers expire, while the secret MasterKey has both`,
    );
  return withSystem(
    "retire-master-key",
    async (tx) => {
      const gone = await masterKeyRetire(tx, id);
      if (gone !== undefined) await note(tx);
      return gone;
    },
    { statementTimeoutMs: STATEMENT_TIMEOUT_MS },
  );
}

/** Says which rows no key of the secret MasterKey opens. */
export function tellOfUnopened(sealed: readonly SealedRows[]): void {
  const known = masterKeyIds();
  for (const { what, keyId, rows } of sealed)
    if (!known.includes(keyId))
      logger("db").error(
        { rows, masterKey: keyId },
        `${what} were sealed with a master key that is not set and do not open: put it behind the present one in the secret MasterKey`,
      );
}

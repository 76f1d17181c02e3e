// Making, replacing, revoking and resealing signing keys: each in one transaction, one process at a time.
import { withSystem, type Tx } from "../db/tenant";
import { logger } from "../telemetry/logger";
import { EnvelopeError } from "../security/envelope";
import { createKey, resealPrivate } from "./key-material";
import {
  isRotationDue,
  KEYS_MAX,
  nextStandby,
  schedule,
  type KeyTimes,
  type RotationRules,
  type SigningAlgorithm,
} from "./key-schedule";
import { revokeKey } from "./revocations";
import {
  signingKeyDelete,
  signingKeyInsert,
  signingKeyList,
  signingKeyListLocked,
  signingKeyReseal,
  signingKeySetTimes,
  type SigningKeysRead,
} from "./store/signing-keys";

const log = logger("auth");

export interface RingRules extends RotationRules {
  masterKeys: () => string;
}

/** Rotating so fast that the key set would grow without end. */
export class TooManyKeysError extends Error {
  override readonly name = "TooManyKeysError";
  constructor() {
    super(`there are ${KEYS_MAX} signing keys whose tokens may still be good: wait until some of them have expired`);
  }
}

/**
 * The key that stands by is to sign, and another one stands by, when the latest is `olderThanMs` old or of another
 * algorithm. True when so. @throws TooManyKeysError, MasterKeyError
 */
export function rotateSigningKeys(rules: RingRules, olderThanMs: number): Promise<boolean> {
  return withSystem("rotate-signing-keys", async (tx) => {
    const { keys, databaseMs } = await signingKeyListLocked(tx);
    const isDue = isRotationDue(keys, databaseMs, rules.algorithm, olderThanMs);
    if (isDue && keys.length >= KEYS_MAX) throw new TooManyKeysError();
    if (isDue) await promote(tx, keys, databaseMs, rules, false);
    await keepStandby(tx, rules);
    return isDue;
  });
}

/**
 * Removes a key: no process takes its tokens when it has read of it, two seconds later at most. If it was to sign, the
 * next one does from now on. False when there is no such key.
 */
export function revokeSigningKey(rules: RingRules, kid: string): Promise<boolean> {
  return withSystem("revoke-signing-key", async (tx) => {
    const { keys, databaseMs } = await signingKeyListLocked(tx);
    const revoked = keys.find((key) => key.kid === kid);
    if (revoked === undefined) return false;
    await signingKeyDelete(tx, kid);
    await revokeKey(tx, kid);
    const left = keys.filter((key) => key !== revoked);
    if (revoked.signsFromMs !== null) await promote(tx, left, databaseMs, rules, true);
    await keepStandby(tx, rules);
    log.warn({ kid }, "a signing key was revoked: its tokens are refused");
    return true;
  });
}

/** Seals with the present master key what an earlier one sealed. Resolves with how many. What no key opens stays, and is told of. */
export async function resealSigningKeys(masterKeys: string): Promise<number> {
  const { keys } = await signingKeyList();
  let resealed = 0;
  for (const key of keys) {
    let to: Buffer | undefined;
    try {
      to = resealPrivate(key, masterKeys);
    } catch (error) {
      if (!(error instanceof EnvelopeError)) throw error;
      log.error({ err: error, kid: key.kid }, "a signing key does not open: put the master key back, or revoke it");
    }
    if (to === undefined) continue;
    const { kid, privateWrapped: from } = key;
    resealed += await withSystem("reseal-signing-keys", (tx) => signingKeyReseal(tx, { kid, from, to }));
  }
  return resealed;
}

/** When urgent, a key whose turn was to come anyway takes its turn now. */
async function promote(
  tx: Tx,
  keys: SigningKeysRead["keys"],
  nowMs: number,
  rules: RingRules,
  isUrgent: boolean,
): Promise<void> {
  const waiting = isUrgent ? firstWaiting(keys, nowMs, rules.algorithm) : undefined;
  const next = waiting ?? nextStandby(keys, rules.algorithm) ?? (await addKey(tx, rules, nowMs));
  for (const times of schedule(keys, next, nowMs, rules, isUrgent)) await signingKeySetTimes(tx, times);
}

const firstWaiting = (keys: readonly KeyTimes[], nowMs: number, algorithm: SigningAlgorithm): KeyTimes | undefined =>
  keys
    .filter((key) => key.algorithm === algorithm && (key.signsFromMs ?? 0) > nowMs)
    .sort((a, b) => (a.signsFromMs ?? 0) - (b.signsFromMs ?? 0))[0];

async function addKey(tx: Tx, { algorithm, masterKeys }: RingRules, nowMs: number): Promise<KeyTimes> {
  const key = await createKey(algorithm, masterKeys());
  await signingKeyInsert(tx, key);
  return { kid: key.kid, algorithm, publishedAtMs: nowMs, signsFromMs: null, verifyUntilMs: null };
}

/** One that stands by, of the algorithm that is set; others that stand by have signed nothing and go. */
async function keepStandby(tx: Tx, rules: RingRules): Promise<void> {
  const { keys, databaseMs } = await signingKeyListLocked(tx);
  const idle = keys.filter(({ signsFromMs }) => signsFromMs === null);
  for (const { kid, algorithm } of idle) if (algorithm !== rules.algorithm) await signingKeyDelete(tx, kid);
  if (!idle.some(({ algorithm }) => algorithm === rules.algorithm)) await addKey(tx, rules, databaseMs);
}

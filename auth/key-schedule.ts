// When a signing key does what: pure rules over the times in its row, all of them the database's clock, so that replicas
// whose clocks differ agree. States of a key:
//   standby    published, signs nothing; there is always one, so that a key can be replaced at once
//   waiting    its time to sign is set and has not come
//   signing    the latest whose time has come
//   verifying  a later one signs; the tokens of this one are still good
//   gone       its last token has expired
// A key signs when it has been published for as long as verifiers may keep the set (`leadMs`), so nobody ever sees a token
// of a key that is not in theirs. Sources: OpenID Connect Core 1.0 §10.1.1 (rotation), and the standby key of
// https://supabase.com/docs/guides/auth/signing-keys.

export const SIGNING_ALGORITHMS = ["EdDSA", "RS256"] as const;
export type SigningAlgorithm = (typeof SIGNING_ALGORITHMS)[number];

/** Milliseconds since 1970, by the database. */
export interface KeyTimes {
  kid: string;
  algorithm: SigningAlgorithm;
  publishedAtMs: number;
  signsFromMs: number | null;
  verifyUntilMs: number | null;
}

export type KeyState = "standby" | "waiting" | "signing" | "verifying" | "gone";

/** Live keys beyond which none is added: a set of 200 RSA keys is already 100 KB for each verifier. */
export const KEYS_MAX = 100;

/** Above the life of a key's last token: for a replica that has not yet noticed its successor, and for reading the clock. */
const ALLOWANCE_MS = 60_000;

export interface RotationRules {
  /** Of the keys to come. */
  algorithm: SigningAlgorithm;
  /** How long a key is published before it signs. */
  leadMs: number;
  /** Life of a token. */
  tokenMs: number;
}

/** The key that signs at `nowMs`: the latest whose time has come and whose tokens will be verified to their end. */
export function signingAt<K extends KeyTimes>(keys: readonly K[], nowMs: number, tokenMs: number): K | undefined {
  const scheduled = keys.filter(({ signsFromMs }) => signsFromMs !== null).sort(bySigning);
  const due = scheduled.filter(
    ({ signsFromMs, verifyUntilMs }) =>
      (signsFromMs ?? Infinity) <= nowMs && (verifyUntilMs === null || verifyUntilMs >= nowMs + tokenMs),
  );
  // After a revocation the successor may be due by the database's clock and not yet by this estimate of it.
  return due.at(-1) ?? scheduled.find(({ signsFromMs }) => (signsFromMs ?? 0) > nowMs);
}

export const isPublished = ({ verifyUntilMs }: KeyTimes, nowMs: number): boolean =>
  verifyUntilMs === null || verifyUntilMs > nowMs;

export function stateOf(key: KeyTimes, keys: readonly KeyTimes[], nowMs: number, tokenMs: number): KeyState {
  if (!isPublished(key, nowMs)) return "gone";
  if (key.signsFromMs === null) return "standby";
  if (signingAt(keys, nowMs, tokenMs)?.kid === key.kid) return "signing";
  return key.signsFromMs > nowMs ? "waiting" : "verifying";
}

/** Whether a newer key is wanted: none signs, another algorithm is set, or the latest has signed for `olderThanMs`. */
export function isRotationDue(
  keys: readonly KeyTimes[],
  nowMs: number,
  algorithm: SigningAlgorithm,
  olderThanMs: number,
): boolean {
  const latest = latestScheduled(keys);
  if (latest === undefined || latest.algorithm !== algorithm) return true;
  return olderThanMs <= 0 || nowMs - (latest.signsFromMs ?? 0) >= olderThanMs;
}

/** The key to sign next: of those that stand by, the one that has been published longest. */
export function nextStandby<K extends KeyTimes>(keys: readonly K[], algorithm: SigningAlgorithm): K | undefined {
  return keys
    .filter((key) => key.signsFromMs === null && key.algorithm === algorithm)
    .sort((a, b) => a.publishedAtMs - b.publishedAtMs)[0];
}

/**
 * The new times of `next` and of those it replaces. It signs when it has been published for the lead, after all that were
 * scheduled before it; `isUrgent` or with none before it, at once.
 */
export function schedule(
  keys: readonly KeyTimes[],
  next: KeyTimes,
  nowMs: number,
  rules: RotationRules,
  isUrgent: boolean,
): Pick<KeyTimes, "kid" | "signsFromMs" | "verifyUntilMs">[] {
  const others = keys.filter(({ kid, signsFromMs }) => kid !== next.kid && signsFromMs !== null).sort(bySigning);
  const latest = others.at(-1);
  const earliestMs = Math.max(nowMs, next.publishedAtMs + rules.leadMs, (latest?.signsFromMs ?? 0) + 1);
  const signsFromMs = isUrgent || latest === undefined ? nowMs : earliestMs;
  const endMs = signsFromMs + rules.tokenMs + ALLOWANCE_MS;
  const before = others.filter((key) => (key.signsFromMs ?? 0) < signsFromMs);
  const replaced = before.filter((key) => key.verifyUntilMs === null || key.kid === before.at(-1)?.kid);
  return [
    { kid: next.kid, signsFromMs, verifyUntilMs: next.verifyUntilMs },
    ...replaced.map(({ kid, signsFromMs: since, verifyUntilMs }) => ({
      kid,
      signsFromMs: since,
      verifyUntilMs: Math.max(verifyUntilMs ?? 0, endMs),
    })),
  ];
}

export function latestScheduled<K extends KeyTimes>(keys: readonly K[]): K | undefined {
  return keys
    .filter(({ signsFromMs }) => signsFromMs !== null)
    .sort(bySigning)
    .at(-1);
}

const bySigning = (a: KeyTimes, b: KeyTimes): number =>
  (a.signsFromMs ?? 0) - (b.signsFromMs ?? 0) || (a.kid < b.kid ? -1 : 1);

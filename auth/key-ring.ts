// The keys of access tokens, as this process knows them. It reads the table again after RELOAD_AFTER_MS while it is used
// and decides by the database's clock (key-schedule.ts says what), so every replica signs with a key that all have
// published, and a rotation or revocation by one is noticed by all within two seconds.
import { AsyncResource } from "node:async_hooks";
import type { CryptoKey, JWK } from "jose";
import { commonErrors } from "../security/common-errors";
import { logger } from "../telemetry/logger";
import { withinTime } from "../telemetry/time-limit";
import { databaseClock, type DatabaseClock } from "../security/database-clock";
import type { SigningKey } from "./access-token";
import { assertMasterKeys, importKey, openPrivate } from "./key-material";
import { isPublished, signingAt, type SigningAlgorithm } from "./key-schedule";
import { resealSigningKeys, revokeSigningKey, rotateSigningKeys, type RingRules } from "./key-rotation";
import { signingKeyList, type SigningKeyRow, type SigningKeysRead } from "./store/signing-keys";

const RELOAD_AFTER_MS = 2_000;
/** An unknown key id makes the ring look again, but not more often: ids are free for anybody to invent. */
const UNKNOWN_KID_PAUSE_MS = 1_000;
/** Known keys verify for so long while the table cannot be read: then who brings a token waits for a read, or is told to wait. */
const BLIND_MAX_MS = 10_000;
const READ_TIMEOUT_MS = 2_000;
/** A key signs when it has been published for as long as verifiers keep the set, and replicas what they read. */
const LEAD_ABOVE_MAX_AGE_MS = 3_000 + RELOAD_AFTER_MS;

export interface KeyRingSettings {
  /** Of new keys; those that are there stay good. */
  signingAlgorithm: SigningAlgorithm;
  accessTokenSeconds: number;
  /** How long verifiers may keep the published set. */
  jwksMaxAgeSeconds: number;
}

export interface PublicSigningKey {
  algorithm: SigningAlgorithm;
  publicKey: CryptoKey;
}

interface LoadedKey extends PublicSigningKey {
  row: SigningKeyRow;
}

export class KeyRing {
  private keys = new Map<string, LoadedKey>();
  /** The private half of the key that signs; opened when it is first needed, and never to verify. */
  private opened: SigningKey | undefined;
  private loadedAtMs = -Infinity;
  private loading: Promise<void> | undefined;
  private readonly rules: RingRules;

  /** `masterKeys` is the text of the secret; it is asked for when a private key is made or opened. */
  constructor(
    private readonly masterKeys: () => string,
    settings: KeyRingSettings,
    private readonly clock: DatabaseClock = databaseClock,
    private readonly read: () => Promise<SigningKeysRead> = signingKeyList,
  ) {
    this.rules = {
      masterKeys,
      algorithm: settings.signingAlgorithm,
      tokenMs: settings.accessTokenSeconds * 1000,
      leadMs: settings.jwksMaxAgeSeconds * 1000 + LEAD_ABOVE_MAX_AGE_MS,
    };
    // Reading goes on beside requests: it must not belong to the one that happened to begin it.
    this.load = AsyncResource.bind(this.load.bind(this));
  }

  /**
   * The key to sign with; the first call ever makes it. Not inside a transaction. @throws EnvelopeError, MasterKeyError;
   * APIError as `find`.
   */
  async signer(): Promise<SigningKey> {
    const row = await this.signingRow();
    if (this.opened?.kid !== row.kid) {
      const privateKey = await openPrivate(row, this.masterKeys());
      this.opened = { kid: row.kid, algorithm: row.algorithm, privateKey };
    }
    return this.opened;
  }

  /**
   * The public key of this id, if its tokens may still be good. Asks the database about ids it has not seen.
   * @throws APIError service_unavailable when the keys cannot be read and what is known of them is old.
   */
  async find(kid: string): Promise<PublicSigningKey | undefined> {
    const ageMs = this.ageMs();
    const isUnknown = !this.keys.has(kid) && ageMs > UNKNOWN_KID_PAUSE_MS;
    if (isUnknown || ageMs > BLIND_MAX_MS) await this.reload().catch(refuseForNow);
    else if (ageMs > RELOAD_AFTER_MS) this.reload().catch(tellOfFailure);
    const key = this.keys.get(kid);
    return key && isPublished(key.row, this.nowMs()) ? key : undefined;
  }

  /** The key set to publish (RFC 7517): the key that signs, those that will, those whose tokens are still good. */
  async published(): Promise<JWK[]> {
    const signing = await this.signingRow();
    const others = [...this.keys.values()].filter(({ row }) => row !== signing && isPublished(row, this.nowMs()));
    return [signing, ...others.map(({ row }) => row)].map(({ publicJwk }) => publicJwk);
  }

  /** Another key is to sign, if the present one has for `olderThanMs` or another algorithm was set. True when so. */
  async rotate(olderThanMs: number): Promise<boolean> {
    const isRotated = await rotateSigningKeys(this.rules, olderThanMs);
    await this.reload();
    return isRotated;
  }

  /** Tokens of this key are refused by every process within two seconds, and another key signs. False when there is none. */
  async revoke(kid: string): Promise<boolean> {
    const isRevoked = await revokeSigningKey(this.rules, kid);
    await this.reload();
    return isRevoked;
  }

  /** Private keys that an earlier master key sealed are sealed with the present one. Resolves with how many. */
  async reseal(): Promise<number> {
    const resealed = await resealSigningKeys(this.masterKeys());
    if (resealed > 0) await this.reload();
    return resealed;
  }

  /** @throws MasterKeyError when private keys could be neither made nor opened: no master key, or one too short to be random. */
  assertUsable(): void {
    assertMasterKeys(this.masterKeys());
  }

  private async signingRow(): Promise<SigningKeyRow> {
    const ageMs = this.ageMs();
    if (ageMs > BLIND_MAX_MS) await this.reload().catch(refuseForNow);
    // Waited for, because another key may sign by now; one that is known goes on when the table says nothing.
    else if (ageMs > RELOAD_AFTER_MS) await this.reload().catch(tellOfFailure);
    const known = this.signingNow();
    if (known !== undefined) return known;
    await this.rotate(Infinity);
    const made = this.signingNow();
    if (made === undefined) throw new Error("no signing key after making one");
    return made;
  }

  private signingNow(): SigningKeyRow | undefined {
    const rows = [...this.keys.values()].map(({ row }) => row);
    return signingAt(rows, this.nowMs(), this.rules.tokenMs);
  }

  private ageMs(): number {
    return performance.now() - this.loadedAtMs;
  }

  private nowMs(): number {
    return this.clock.nowMs();
  }

  private reload(): Promise<void> {
    this.loading ??= this.load().finally(() => (this.loading = undefined));
    return this.loading;
  }

  private async load(): Promise<void> {
    const askedAtMs = performance.now();
    // The first read may have to wait for the database to begin; later ones have what is known instead.
    const reading = this.read();
    const { databaseMs, keys: rows } = await (this.keys.size === 0 ? reading : withinTime(reading, READ_TIMEOUT_MS));
    this.clock.note(databaseMs, askedAtMs, performance.now());
    const keys = new Map<string, LoadedKey>();
    for (const row of rows) {
      const publicKey = this.keys.get(row.kid)?.publicKey ?? (await importKey(row.publicJwk, row.algorithm));
      keys.set(row.kid, { row, algorithm: row.algorithm, publicKey });
    }
    this.keys = keys;
    this.loadedAtMs = askedAtMs;
  }
}

function refuseForNow(cause: unknown): never {
  throw commonErrors.service_unavailable({ retryAfterSeconds: 1, internal: "signing keys cannot be read", cause });
}

function tellOfFailure(error: unknown): void {
  logger("auth").warn({ err: error }, "signing keys cannot be read again; those that are known go on");
}

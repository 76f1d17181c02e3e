// The keys that sign access tokens, as this process knows them. States of a key: signing → verifying (a newer
// one signs; its tokens are still good) → gone. Every replica reads the same table: a key another replica made
// is found when its first token arrives, and a rotation is noticed within RELOAD_AFTER_MS.
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type CryptoKey, type JWK } from "jose";
import { withSystem } from "../db/tenant";
import { deriveKey } from "../security/derived-key";
import { open, seal } from "./envelope";
import type { SigningKey } from "./access-token";
import {
  signingKeyCurrent,
  signingKeyInsert,
  signingKeyList,
  signingKeyLock,
  signingKeyRetire,
  type SigningKeyRow,
} from "./store/signing-keys";

const ALGORITHM = "EdDSA";
/** A signer looks for a rotation by another replica at least this often. */
const RELOAD_AFTER_MS = 60_000;
/** An unknown key id makes the ring look again, but not more often: ids are free for anybody to invent. */
const UNKNOWN_KID_PAUSE_MS = 5_000;

interface LoadedKey {
  row: SigningKeyRow;
  publicKey: CryptoKey;
}

export class KeyRing {
  private keys = new Map<string, LoadedKey>();
  /** The key that signs; its private part is opened when it is first needed, and never to verify. */
  private current: SigningKeyRow | undefined;
  private opened: SigningKey | undefined;
  private loadedAtMs = -Infinity;
  private loading: Promise<void> | undefined;

  /** `masterKey` is asked when a private key is made or opened; `tokenSeconds` is how long a signed token lives. */
  constructor(
    private readonly masterKey: () => string,
    private readonly tokenSeconds: number,
  ) {}

  /** The key to sign with; the first call ever makes it. Not inside a transaction. */
  async signer(now: Date): Promise<SigningKey> {
    const row = await this.signingRow(now);
    if (this.opened?.kid !== row.kid) this.opened = { kid: row.kid, privateKey: await this.openPrivate(row) };
    return this.opened;
  }

  /** The public key of this id, if its tokens may still be valid. Asks the database only about ids it has not seen. */
  async find(kid: string, now: Date): Promise<CryptoKey | undefined> {
    if (!this.keys.has(kid) && now.getTime() - this.loadedAtMs > UNKNOWN_KID_PAUSE_MS) await this.reload(now);
    const key = this.keys.get(kid);
    if (!key || (key.row.verifyUntil !== null && key.row.verifyUntil <= now)) return undefined;
    return key.publicKey;
  }

  /** The key set to publish (RFC 7517), the signing key first. */
  async published(now: Date): Promise<JWK[]> {
    await this.signingRow(now);
    return [...this.keys.values()]
      .filter(({ row }) => row.verifyUntil === null || row.verifyUntil > now)
      .map(({ row }) => row.publicJwk);
  }

  /** A new key signs from now on, if the present one is older than `maxAgeMs`. True when it was. */
  async rotate(now: Date, maxAgeMs: number): Promise<boolean> {
    const rotated = await this.replace(
      now,
      "rotate-signing-keys",
      (madeAt) => madeAt === undefined || now.getTime() - madeAt.getTime() >= maxAgeMs,
    );
    if (rotated) await this.reload(now);
    return rotated;
  }

  private async signingRow(now: Date): Promise<SigningKeyRow> {
    if (this.current === undefined || now.getTime() - this.loadedAtMs > RELOAD_AFTER_MS) await this.reload(now);
    if (this.current === undefined) {
      await this.replace(now, "make-first-signing-key", (madeAt) => madeAt === undefined);
      await this.reload(now);
    }
    if (this.current === undefined) throw new Error("no signing key after making one");
    return this.current;
  }

  private async replace(now: Date, reason: string, isDue: (madeAt: Date | undefined) => boolean): Promise<boolean> {
    const key = await this.makeKey(now);
    // Other replicas sign with the old key until they reload.
    const verifyUntil = new Date(now.getTime() + this.tokenSeconds * 1000 + 2 * RELOAD_AFTER_MS);
    return withSystem(reason, async (tx) => {
      await signingKeyLock(tx);
      if (!isDue(await signingKeyCurrent(tx))) return false;
      await signingKeyRetire(tx, verifyUntil);
      await signingKeyInsert(tx, key);
      return true;
    });
  }

  private async makeKey(now: Date): Promise<Pick<SigningKeyRow, "kid" | "publicJwk" | "privateWrapped" | "createdAt">> {
    const pair = await generateKeyPair(ALGORITHM, { extractable: true });
    const bare = await exportJWK(pair.publicKey);
    const kid = await calculateJwkThumbprint(bare);
    const privateJwk = Buffer.from(JSON.stringify(await exportJWK(pair.privateKey)));
    return {
      kid,
      publicJwk: { ...bare, kid, alg: ALGORITHM, use: "sig" },
      privateWrapped: seal(this.wrappingKey(), privateJwk, contextOf(kid)),
      createdAt: now,
    };
  }

  private reload(now: Date): Promise<void> {
    this.loading ??= this.load(now).finally(() => (this.loading = undefined));
    return this.loading;
  }

  private async load(now: Date): Promise<void> {
    const rows = await signingKeyList(now);
    const keys = new Map<string, LoadedKey>();
    for (const row of rows)
      keys.set(row.kid, this.keys.get(row.kid) ?? { row, publicKey: await importKey(row.publicJwk) });
    for (const row of rows) Object.assign(keys.get(row.kid) ?? {}, { row });
    this.current = rows.find((row) => row.verifyUntil === null);
    this.keys = keys;
    this.loadedAtMs = now.getTime();
  }

  private async openPrivate(row: SigningKeyRow): Promise<CryptoKey> {
    const jwk = JSON.parse(open(this.wrappingKey(), row.privateWrapped, contextOf(row.kid)).toString()) as JWK;
    return importKey(jwk);
  }

  /** Throws when private keys could be neither made nor opened: no master key, or one too short to be random. */
  assertUsable(): void {
    this.wrappingKey();
  }

  private wrappingKey(): Buffer {
    return deriveKey(this.masterKey(), "auth signing keys");
  }
}

async function importKey(jwk: JWK): Promise<CryptoKey> {
  const key = await importJWK(jwk, ALGORITHM);
  if (key instanceof Uint8Array) throw new TypeError("a signing key is not a symmetric key");
  return key;
}

function contextOf(kid: string): string {
  return `auth.signing_key:${kid}`;
}

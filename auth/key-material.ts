// The key pairs themselves: made, sealed, opened, imported. Every key is bound to one algorithm when it is made and
// when it is imported, so that none is ever tried with another (RFC 8725 §3.1).
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type CryptoKey, type JWK } from "jose";
import { masterKeyset, open, seal, sealedBy } from "../security/envelope";
import type { SigningAlgorithm } from "./key-schedule";

const PURPOSE = "auth signing keys";
/** 128 bits of security, as Ed25519 has (NIST SP 800-57 part 1, table 2). */
const RSA_BITS = 3072;

export interface NewKey {
  kid: string;
  algorithm: SigningAlgorithm;
  publicJwk: JWK;
  privateWrapped: Buffer;
}

/** A new pair, its id the thumbprint of the public half (RFC 7638). @throws MasterKeyError */
export async function createKey(algorithm: SigningAlgorithm, masterKeys: string): Promise<NewKey> {
  const keyset = masterKeyset(masterKeys, PURPOSE);
  const pair = await generateKeyPair(algorithm, { extractable: true, modulusLength: RSA_BITS });
  const bare = await exportJWK(pair.publicKey);
  const kid = await calculateJwkThumbprint(bare);
  const privateJwk = Buffer.from(JSON.stringify(await exportJWK(pair.privateKey)));
  return {
    kid,
    algorithm,
    publicJwk: { ...bare, kid, alg: algorithm, use: "sig" },
    privateWrapped: seal(keyset, privateJwk, contextOf(kid)),
  };
}

type SealedKey = Pick<NewKey, "kid" | "algorithm" | "privateWrapped">;

/** The private half. @throws EnvelopeError, MasterKeyError */
export function openPrivate({ kid, algorithm, privateWrapped }: SealedKey, masterKeys: string): Promise<CryptoKey> {
  const jwk = open(masterKeyset(masterKeys, PURPOSE), privateWrapped, contextOf(kid));
  return importKey(JSON.parse(jwk.toString()) as JWK, algorithm);
}

/** The same private half in an envelope of the present master key, unless it is. @throws EnvelopeError, MasterKeyError */
export function resealPrivate({ kid, privateWrapped }: SealedKey, masterKeys: string): Buffer | undefined {
  const keyset = masterKeyset(masterKeys, PURPOSE);
  if (sealedBy(privateWrapped).equals(keyset[0].id)) return undefined;
  return seal(keyset, open(keyset, privateWrapped, contextOf(kid)), contextOf(kid));
}

export async function importKey(jwk: JWK, algorithm: SigningAlgorithm): Promise<CryptoKey> {
  const key = await importJWK(jwk, algorithm);
  if (key instanceof Uint8Array) throw new TypeError("a signing key is not a symmetric key");
  return key;
}

/** @throws MasterKeyError when private keys could be neither made nor opened. */
export function assertMasterKeys(masterKeys: string): void {
  masterKeyset(masterKeys, PURPOSE);
}

const contextOf = (kid: string): string => `auth.signing_key:${kid}`;

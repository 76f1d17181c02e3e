// The WebAuthn ceremonies' checks (Level 3 §7.1, §7.2), by @simplewebauthn/server, without the database. Everything that
// is presented comes from outside, so whatever the library complains of is one answer: undefined, and a line in the log.
// Attestation: none is asked for, since no make of authenticator is refused. What browsers then send has no certificate;
// one that has is refused here: nothing would be gained by it, and checking chains can fetch revocation lists.
import type {
  AuthenticationResponseJSON,
  PublicKeyCredentialCreationOptionsJSON,
  PublicKeyCredentialRequestOptionsJSON,
  RegistrationResponseJSON,
} from "@simplewebauthn/server";
import { logger } from "../../telemetry/logger";
import { CHALLENGE_SECONDS, webauthnChallengeOf } from "./challenge";
import { relyingParty } from "./relying-party";

const log = logger("auth");

/** Not loaded with whatever imports this: half a second, most of it for certificates. The service has it before it serves. */
const library = (): Promise<typeof import("@simplewebauthn/server")> => import("@simplewebauthn/server");

/** EdDSA, ES256, RS256: what authenticators have. */
const ALGORITHMS = [-8, -7, -257];
const TRANSPORTS: ReadonlySet<string> = new Set(["ble", "cable", "hybrid", "internal", "nfc", "smart-card", "usb"]);

/** What `navigator.credentials.create` gave, as its `toJSON` writes it. */
export interface PasskeyAttestation {
  id: string;
  rawId: string;
  type: string;
  response: { clientDataJSON: string; attestationObject: string; transports?: string[] | undefined };
}

/** What `navigator.credentials.get` gave, as its `toJSON` writes it. */
export interface PasskeyAssertion {
  id: string;
  rawId: string;
  type: string;
  response: { clientDataJSON: string; authenticatorData: string; signature: string; userHandle?: string | undefined };
}

interface Known {
  credentialId: Buffer;
  transports: readonly string[];
}

/** A view of memory of its own, as the library's types ask. */
const bytesOf = (buffer: Buffer): Uint8Array<ArrayBuffer> => Uint8Array.from(buffer);
const challengeBytes = (text: string): Uint8Array<ArrayBuffer> =>
  bytesOf(Buffer.from(webauthnChallengeOf(text), "base64url"));
const descriptors = (known: readonly Known[]): { id: string; transports: string[] }[] =>
  known.map(({ credentialId, transports }) => ({
    id: credentialId.toString("base64url"),
    transports: [...transports],
  }));

/** An account's id as authenticators keep it: it tells nothing of the person (§14.6.1). */
export const userHandleOf = (accountId: string): Buffer => Buffer.from(accountId.replaceAll("-", ""), "hex");

export async function registrationOptions(
  challenge: string,
  account: { id: string; email: string },
  known: readonly Known[],
): Promise<PublicKeyCredentialCreationOptionsJSON> {
  const { id: rpID, name: rpName } = relyingParty();
  const { generateRegistrationOptions } = await library();
  return generateRegistrationOptions({
    rpID,
    rpName,
    userID: bytesOf(userHandleOf(account.id)),
    userName: account.email,
    userDisplayName: account.email,
    challenge: challengeBytes(challenge),
    timeout: CHALLENGE_SECONDS * 1000,
    attestationType: "none",
    excludeCredentials: descriptors(known),
    supportedAlgorithmIDs: ALGORITHMS,
    authenticatorSelection: { residentKey: "preferred", userVerification: "preferred" },
  });
}

/** Without `known`: any passkey of this site that the person chooses, who must be verified by it. */
export async function authenticationOptions(
  challenge: string,
  known: readonly Known[] | undefined,
): Promise<PublicKeyCredentialRequestOptionsJSON> {
  const { generateAuthenticationOptions } = await library();
  return generateAuthenticationOptions({
    rpID: relyingParty().id,
    challenge: challengeBytes(challenge),
    timeout: CHALLENGE_SECONDS * 1000,
    userVerification: known === undefined ? "required" : "preferred",
    ...(known === undefined ? {} : { allowCredentials: descriptors(known) }),
  });
}

export interface Registered {
  credentialId: Buffer;
  publicKey: Buffer;
  signCount: number;
  isSynced: boolean;
  isBackedUp: boolean;
  transports: string[];
}

export async function checkRegistration(
  challenge: string,
  attestation: PasskeyAttestation,
): Promise<Registered | undefined> {
  const { id: expectedRPID, origin: expectedOrigin } = relyingParty();
  const { verifyRegistrationResponse } = await library();
  try {
    await assertNoCertificate(attestation);
    const { registrationInfo } = await verifyRegistrationResponse({
      response: { ...attestation, clientExtensionResults: {} } as RegistrationResponseJSON,
      expectedChallenge: webauthnChallengeOf(challenge),
      expectedOrigin,
      expectedRPID,
      requireUserVerification: false,
      supportedAlgorithmIDs: ALGORITHMS,
    });
    if (registrationInfo === undefined) return undefined;
    const { credential, credentialDeviceType, credentialBackedUp } = registrationInfo;
    return {
      credentialId: Buffer.from(credential.id, "base64url"),
      publicKey: Buffer.from(credential.publicKey),
      signCount: credential.counter,
      isSynced: credentialDeviceType === "multiDevice",
      isBackedUp: credentialBackedUp,
      transports: [...new Set(attestation.response.transports?.filter((name) => TRANSPORTS.has(name)))],
    };
  } catch (error) {
    log.warn({ err: error }, "a passkey was not registered");
    return undefined;
  }
}

async function assertNoCertificate({ response }: PasskeyAttestation): Promise<void> {
  const { decodeAttestationObject } = await import("@simplewebauthn/server/helpers");
  const attestation = decodeAttestationObject(bytesOf(Buffer.from(response.attestationObject, "base64url")));
  const format = attestation.get("fmt");
  const isBySelf = format === "packed" && attestation.get("attStmt").get("x5c") === undefined;
  if (format !== "none" && !isBySelf) throw new TypeError("an attestation with certificates was not asked for");
}

export interface Asserted {
  signCount: number;
  isBackedUp: boolean;
  /** Whether the device made sure of who used it (by finger, face or PIN). */
  isUserVerified: boolean;
}

/**
 * A count that does not grow, of a passkey that counts, is refused: two have the key (§6.1.1). One that always says 0 does
 * not count, as most synced ones.
 */
export async function checkAssertion(
  challenge: string,
  assertion: PasskeyAssertion,
  known: { accountId: string; publicKey: Buffer; signCount: number },
): Promise<Asserted | undefined> {
  const { id: expectedRPID, origin: expectedOrigin } = relyingParty();
  const { userHandle } = assertion.response;
  if (userHandle !== undefined && !Buffer.from(userHandle, "base64url").equals(userHandleOf(known.accountId)))
    return undefined;
  const { verifyAuthenticationResponse } = await library();
  try {
    const { verified, authenticationInfo } = await verifyAuthenticationResponse({
      response: { ...assertion, clientExtensionResults: {} } as AuthenticationResponseJSON,
      expectedChallenge: webauthnChallengeOf(challenge),
      expectedOrigin,
      expectedRPID,
      requireUserVerification: false,
      credential: { id: assertion.id, publicKey: bytesOf(known.publicKey), counter: known.signCount },
    });
    if (!verified) return undefined;
    const { newCounter: signCount, credentialBackedUp: isBackedUp, userVerified: isUserVerified } = authenticationInfo;
    return { signCount, isBackedUp, isUserVerified };
  } catch (error) {
    log.warn({ err: error, userId: known.accountId }, "a passkey was refused");
    return undefined;
  }
}

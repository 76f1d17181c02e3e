// Passkeys: those of an account, and signing in with one. What goes to and comes from the browser has the form of
// WebAuthn's JSON (`PublicKeyCredential.parseCreationOptionsFromJSON`, `toJSON`).
import { api } from "encore.dev/api";
import type { MaxLen, MinLen } from "encore.dev/validate";
import { isUuid } from "../../db/ids";
import { callerAddress, callerDevice } from "../../security/caller-address";
import { currentCaller } from "../../security/principal";
import type { SessionResponse } from "../api";
import { answerSignIn } from "../browser/answer";
import { errors } from "../errors";
import { beginPasskeySignIn, signInWithPasskey } from "../factors/passkey-sign-in";
import {
  addPasskey as add,
  beginPasskey as begin,
  listPasskeys as list,
  removePasskey as remove,
  renamePasskey as rename,
} from "../factors/passkeys";
import { secondFactorOptions } from "../factors/second-factor";
import { stepUpOptions } from "../factors/step-up";

interface CredentialDescriptor {
  id: string;
  type: string;
  transports?: string[];
}

interface CreationOptions {
  rp: { id?: string; name: string };
  user: { id: string; name: string; displayName: string };
  challenge: string;
  pubKeyCredParams: { alg: number; type: string }[];
  timeout?: number;
  excludeCredentials?: CredentialDescriptor[];
  authenticatorSelection?: { residentKey?: string; requireResidentKey?: boolean; userVerification?: string };
  attestation?: string;
}

interface RequestOptions {
  challenge: string;
  timeout?: number;
  rpId?: string;
  allowCredentials?: CredentialDescriptor[];
  userVerification?: string;
}

interface CreationResponse {
  /** To be sent back with what the browser makes of the options. */
  challenge: string;
  /** For `navigator.credentials.create`. */
  options: CreationOptions;
}

interface RequestResponse {
  /** To be sent back with what the browser makes of the options. */
  challenge: string;
  /** For `navigator.credentials.get`. */
  options: RequestOptions;
}

interface Attestation {
  id: string & MinLen<1> & MaxLen<1400>;
  rawId: string & MinLen<1> & MaxLen<1400>;
  type: string & MaxLen<32>;
  response: {
    clientDataJSON: string & MaxLen<8192>;
    attestationObject: string & MaxLen<16384>;
    transports?: string[] & MaxLen<16>;
  };
}

export interface Assertion {
  id: string & MinLen<1> & MaxLen<1400>;
  rawId: string & MinLen<1> & MaxLen<1400>;
  type: string & MaxLen<32>;
  response: {
    clientDataJSON: string & MaxLen<8192>;
    authenticatorData: string & MaxLen<8192>;
    signature: string & MaxLen<4096>;
    userHandle?: string & MaxLen<128>;
  };
}

/** Begins with a new passkey; POST /auth/passkeys ends it. */
export const beginPasskey = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/passkeys/options",
    sensitive: true,
    tags: ["self", "own-proof", "fresh", "limit:auth"],
  },
  async (): Promise<CreationResponse> => begin(currentCaller(), new Date()),
);

interface AddPasskeyRequest {
  challenge: string & MinLen<1> & MaxLen<2048>;
  /** By which people tell theirs apart. */
  name: string & MinLen<1> & MaxLen<200>;
  attestation: Attestation;
}

interface AddPasskeyResponse {
  id: string;
  /** For the first factor of an account; each works once, and they are shown this once. */
  recoveryCodes?: string[];
}

/** Adds a passkey: from now on signing in with the password asks for a second factor. All other sign-ins of the account end. */
export const addPasskey = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/passkeys",
    sensitive: true,
    tags: ["self", "own-proof", "fresh", "limit:auth"],
  },
  async (req: AddPasskeyRequest): Promise<AddPasskeyResponse> => add(currentCaller(), req, new Date()),
);

interface ListedPasskey {
  id: string;
  name: string;
  /** Whether it can be on several devices. */
  synced: boolean;
  /** ISO 8601. */
  createdAt: string;
  lastUsedAt?: string;
}

interface PasskeysResponse {
  passkeys: ListedPasskey[];
}

/** The account's passkeys, the oldest first. */
export const listPasskeys = api(
  { expose: true, auth: true, method: "GET", path: "/auth/passkeys", tags: ["self"] },
  async (): Promise<PasskeysResponse> => {
    const rows = await list(currentCaller());
    return {
      passkeys: rows.map(({ id, name, isSynced, createdAt, lastUsedAt }) => ({
        id,
        name,
        synced: isSynced,
        createdAt: createdAt.toISOString(),
        ...(lastUsedAt === null ? {} : { lastUsedAt: lastUsedAt.toISOString() }),
      })),
    };
  },
);

interface RenamePasskeyRequest {
  id: string;
  name: string & MinLen<1> & MaxLen<200>;
}

/** Gives a passkey of the account another name, of at most 100 characters. No sign-in ends. */
export const renamePasskey = api(
  { expose: true, auth: true, method: "PATCH", path: "/auth/passkeys/:id", tags: ["self", "own-proof"] },
  async ({ id, name }: RenamePasskeyRequest): Promise<void> => {
    const caller = currentCaller();
    if (!isUuid(id)) throw errors.factor_not_found();
    await rename(caller, id, { name });
  },
);

/** Removes a passkey. All other sign-ins of the account end. */
export const removePasskey = api(
  {
    expose: true,
    auth: true,
    method: "DELETE",
    path: "/auth/passkeys/:id",
    tags: ["self", "own-proof", "fresh", "limit:auth"],
  },
  async ({ id }: { id: string }): Promise<void> => {
    const caller = currentCaller();
    if (!isUuid(id)) throw errors.factor_not_found();
    await remove(caller, id);
  },
);

/** Begins a sign-in with whichever passkey of this site the person chooses. */
export const beginPasskeyLogin = api(
  {
    expose: true,
    method: "POST",
    path: "/auth/login/passkey/options",
    tags: ["public:this is how one signs in", "limit:auth"],
  },
  async (): Promise<RequestResponse> => beginPasskeySignIn(new Date()),
);

interface PasskeyLoginRequest {
  challenge: string & MinLen<1> & MaxLen<2048>;
  passkey: Assertion;
  /** Tokens in cookies of the browser instead of the body; for pages of this origin. */
  cookies?: boolean;
}

/** Signs in with a passkey, and nothing else. */
export const loginPasskey = api(
  {
    expose: true,
    method: "POST",
    path: "/auth/login/passkey",
    sensitive: true,
    tags: ["public:this is how one signs in", "limit:auth"],
  },
  async ({ cookies, ...req }: PasskeyLoginRequest): Promise<SessionResponse> =>
    answerSignIn(cookies, () => signInWithPasskey(req, new Date(), callerAddress(), callerDevice())),
);

interface SecondFactorOptionsRequest {
  /** `details.challenge` of the refusal `second_factor_required`. */
  challenge: string & MinLen<1> & MaxLen<2048>;
}

interface SecondFactorOptionsResponse {
  /** For `navigator.credentials.get`. */
  options: RequestOptions;
}

/** What the account's passkeys are asked to sign as second factor. */
export const secondFactorPasskey = api(
  {
    expose: true,
    method: "POST",
    path: "/auth/login/second-factor/options",
    sensitive: true,
    tags: ["public:this is how one signs in", "limit:auth"],
  },
  async ({ challenge }: SecondFactorOptionsRequest): Promise<SecondFactorOptionsResponse> => ({
    options: await secondFactorOptions(challenge, new Date(), callerAddress()),
  }),
);

/** What the caller's passkeys are asked to sign to step up. */
export const stepUpPasskey = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/step-up/options",
    sensitive: true,
    tags: ["self", "limit:auth"],
  },
  async (): Promise<RequestResponse> => stepUpOptions(currentCaller(), new Date()),
);

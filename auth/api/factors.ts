// How a person shows who they are besides the password: second factors, recovery codes, step-up.
import { api, type Cookie, type Header } from "encore.dev/api";
import type { MaxLen, MinLen } from "encore.dev/validate";
import { callerAddress, callerDevice } from "../../security/caller-address";
import { currentCaller } from "../../security/principal";
import type { SessionResponse } from "../api";
import { answerAccess, answerSignIn } from "../browser/answer";
import {
  beginTotp as begin,
  confirmTotp as confirm,
  listFactors as list,
  removeTotp as remove,
  replaceRecoveryCodes as replace,
} from "../factors/enrolment";
import { completeSecondFactor } from "../factors/second-factor";
import { stepUp as showAgain } from "../factors/step-up";
import { mailCode, stepUpWays } from "../factors/step-up-elsewhere";
import type { Assertion } from "./passkeys";

interface SecondFactorRequest {
  /** `details.challenge` of the refusal `second_factor_required`. */
  challenge: string & MinLen<1> & MaxLen<2048>;
  /** Of an app; one of `code`, `recoveryCode` and `passkey`. */
  code?: string & MaxLen<64>;
  recoveryCode?: string & MaxLen<64>;
  /** For the options of POST /auth/login/second-factor/options. */
  passkey?: Assertion;
  /** Tokens in cookies of the browser instead of the body; for pages of this origin. */
  cookies?: boolean;
}

/** The second step of signing in, for an account that has a second factor. */
export const loginSecondFactor = api(
  {
    expose: true,
    method: "POST",
    path: "/auth/login/second-factor",
    sensitive: true,
    tags: ["public:this is how one signs in", "limit:auth"],
  },
  async ({ cookies, ...req }: SecondFactorRequest): Promise<SessionResponse> =>
    answerSignIn(cookies, () => completeSecondFactor(req, new Date(), callerAddress(), callerDevice())),
);

interface StepUpRequest {
  /** One of these ways, of those that GET /auth/step-up/methods answers. */
  password?: string & MinLen<1> & MaxLen<512>;
  code?: string & MaxLen<64>;
  recoveryCode?: string & MaxLen<64>;
  /** For the options of POST /auth/step-up/options, with their challenge. */
  passkey?: Assertion;
  challenge?: string & MaxLen<2048>;
  /** For POST /auth/step-up/oidc: where the provider sent the browser, as it stands in its address bar. */
  url?: string & MinLen<1> & MaxLen<8192>;
  browser?: Cookie<string, "__Host-oidc">;
  /** Of POST /auth/step-up/mail. */
  mailedCode?: string & MinLen<1> & MaxLen<64>;
}

interface StepUpResponse {
  /** For the Authorization header, instead of the one before; the refresh token stays as it is. Empty when it is in the cookie. */
  accessToken: string;
  /** Seconds until the access token expires. */
  expiresIn: number;
  /** For a caller who came by cookie. */
  setCookie?: Header<"Set-Cookie">;
}

/** Shows again who the caller is: for ten minutes they may do what is marked `fresh`. */
export const stepUp = api(
  { expose: true, auth: true, method: "POST", path: "/auth/step-up", sensitive: true, tags: ["self", "limit:auth"] },
  async ({ browser, ...req }: StepUpRequest): Promise<StepUpResponse> => {
    const caller = currentCaller();
    const shown = await showAgain(caller, { ...req, browser: browser?.value }, new Date(), callerAddress());
    return answerAccess(caller.subjectId, shown);
  },
);

interface StepUpMethodsResponse {
  /** What the account can show now; never empty for one with a verified address. */
  methods: ("password" | "totp" | "passkey" | "recovery-code" | "provider" | "mail")[];
  /** For `provider`: those that the account is linked to. */
  providers: string[];
  /** Those of them that speak for the account, and not for their organisation alone; all other methods do. */
  ownProviders: string[];
}

/** By what the caller can step up. */
export const stepUpMethods = api(
  { expose: true, auth: true, method: "GET", path: "/auth/step-up/methods", tags: ["self"] },
  async (): Promise<StepUpMethodsResponse> => stepUpWays(currentCaller()),
);

/** Mails a code to step up with in this session, to an account without password and second factor. */
export const stepUpMail = api(
  { expose: true, auth: true, method: "POST", path: "/auth/step-up/mail", tags: ["self", "limit:mail"] },
  async (): Promise<void> => mailCode(currentCaller()),
);

interface FactorsResponse {
  /** Codes of an app; absent when there are none. */
  totp?: { /** ISO 8601. */ since: string };
  /** How many; GET /auth/passkeys lists them. */
  passkeys: number;
  recoveryCodesLeft: number;
}

/** The second factors of the caller's account. */
export const factors = api(
  { expose: true, auth: true, method: "GET", path: "/auth/factors", tags: ["self"] },
  async (): Promise<FactorsResponse> => {
    const { totpSince, passkeys, recoveryCodesLeft } = await list(currentCaller());
    const totp = totpSince === null ? {} : { totp: { since: totpSince.toISOString() } };
    return { ...totp, passkeys, recoveryCodesLeft };
  },
);

interface TotpResponse {
  /** In base 32, for who types it; shown this once. */
  secret: string;
  /** The same for the app, mostly as a QR code. */
  uri: string;
}

/** Begins with codes of an app; POST /auth/factors/totp/confirm puts them into use. */
export const beginTotp = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/factors/totp",
    sensitive: true,
    tags: ["self", "own-proof", "fresh", "limit:auth"],
  },
  async (): Promise<TotpResponse> => begin(currentCaller()),
);

interface ConfirmTotpRequest {
  code: string & MinLen<1> & MaxLen<64>;
}

interface ConfirmTotpResponse {
  /** For the first factor of an account; each works once, and they are shown this once. */
  recoveryCodes?: string[];
}

/** Puts the codes into use: from now on signing in asks for one. All other sign-ins of the account end. */
export const confirmTotp = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/factors/totp/confirm",
    sensitive: true,
    tags: ["self", "own-proof", "fresh", "limit:auth"],
  },
  async ({ code }: ConfirmTotpRequest): Promise<ConfirmTotpResponse> => {
    const recoveryCodes = await confirm(currentCaller(), code, new Date());
    return recoveryCodes === undefined ? {} : { recoveryCodes };
  },
);

/** Removes the codes of an app. All other sign-ins of the account end. */
export const removeTotp = api(
  {
    expose: true,
    auth: true,
    method: "DELETE",
    path: "/auth/factors/totp",
    tags: ["self", "own-proof", "fresh", "limit:auth"],
  },
  async (): Promise<void> => remove(currentCaller()),
);

interface RecoveryCodesResponse {
  /** Each works once; they are shown this once. */
  recoveryCodes: string[];
}

/** Ten new recovery codes instead of those of before. */
export const replaceRecoveryCodes = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/auth/factors/recovery-codes",
    sensitive: true,
    tags: ["self", "own-proof", "fresh", "limit:auth"],
  },
  async (): Promise<RecoveryCodesResponse> => ({ recoveryCodes: await replace(currentCaller()) }),
);

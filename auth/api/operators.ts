// Where the platform's staff sets itself up, signs in and out. Operators are added by command only.
import { api, type Header } from "encore.dev/api";
import type { MaxLen, MinLen } from "encore.dev/validate";
import { callerAddress, hopsOf } from "../../security/caller-address";
import type { Headers } from "../../security/client-ip";
import { currentCaller } from "../../security/principal";
import { currentCall } from "../../telemetry/current-call";
import { isByCookie } from "../browser/answer";
import { answerStaff, forgetStaff } from "../browser/staff-cookie";
import { errors } from "../errors";
import { isFromThisMachine, signInByLink } from "../operators/development-link";
import { beginSetup, completeSetup, signInOperator, signOutOperator, stepUpOperator } from "../operators/sign-in";

interface OperatorSetupRequest {
  /** What `operator add` or `operator reset` printed; good for an hour. */
  setupToken: string & MinLen<1> & MaxLen<200>;
  /** 8 to 128 characters, not among the common ones. */
  password: string & MinLen<1> & MaxLen<512>;
}

interface OperatorSetupResponse {
  /** For an authenticator app, as people type it. */
  secret: string;
  /** The same as a link, for a QR code. */
  uri: string;
}

/** Begins an operator's set-up: a password, and the secret of an authenticator app. */
export const setUpOperator = api(
  {
    expose: true,
    method: "POST",
    path: "/operator/setup",
    sensitive: true,
    tags: ["public:the set-up token is the credential", "limit:auth"],
  },
  async (req: OperatorSetupRequest): Promise<OperatorSetupResponse> => beginSetup(req, callerAddress()),
);

interface ConfirmOperatorSetupRequest {
  setupToken: string & MinLen<1> & MaxLen<200>;
  /** Of the authenticator app. */
  code: string & MinLen<6> & MaxLen<10>;
}

/** Completes an operator's set-up with a code of the app; the token is used up. */
export const confirmOperatorSetup = api(
  {
    expose: true,
    method: "POST",
    path: "/operator/setup/confirm",
    sensitive: true,
    tags: ["public:the set-up token is the credential", "limit:auth"],
  },
  async (req: ConfirmOperatorSetupRequest): Promise<void> => completeSetup(req, new Date(), callerAddress()),
);

interface OperatorLoginRequest {
  email: string & MinLen<1> & MaxLen<254>;
  password: string & MinLen<1> & MaxLen<512>;
  /** Of the authenticator app. */
  code: string & MinLen<1> & MaxLen<10>;
  /** For a page of this origin: the token comes in a cookie, which acts where `X-Account-Id` is `operator`. */
  cookies?: boolean;
}

interface OperatorLoginResponse {
  /** For the Authorization header, after "Bearer "; over after a quarter of an hour without use. Empty where it is in the cookie. */
  token: string;
  /** Seconds until it ends anyhow. */
  expiresIn: number;
  setCookie?: Header<"Set-Cookie">;
}

/** Signs an operator in: password and code at once. */
export const operatorLogin = api(
  {
    expose: true,
    method: "POST",
    path: "/operator/login",
    sensitive: true,
    tags: ["public:this is how staff sign in", "limit:auth"],
  },
  async ({ cookies, ...req }: OperatorLoginRequest): Promise<OperatorLoginResponse> =>
    answerStaff(cookies, () => signInOperator(req, new Date(), callerAddress())),
);

interface OperatorLinkRequest {
  /** What `operator link` printed; good once, for ten minutes. */
  link: string & MinLen<1> & MaxLen<200>;
  /** As at sign-in. */
  cookies?: boolean;
}

/** Signs in who sits at the machine, in development: by the link that the start printed. */
export const operatorLinkLogin = api(
  {
    expose: true,
    method: "POST",
    path: "/operator/login/link",
    sensitive: true,
    tags: ["public:the link is the credential", "limit:auth", "development"],
  },
  async ({ link, cookies }: OperatorLinkRequest): Promise<OperatorLoginResponse> =>
    answerStaff(cookies, () => signInByLink(link, isFromThisMachine(hopsOfCaller()))),
);

function hopsOfCaller(): Headers {
  const call = currentCall();
  return call === undefined ? {} : hopsOf(call);
}

interface OperatorStepUpRequest {
  password: string & MinLen<1> & MaxLen<512>;
  /** Of the authenticator app, another one than at sign-in. */
  code: string & MinLen<1> & MaxLen<10>;
}

/** Shows again who the operator is: for ten minutes the session may do what is `fresh`, under the token that is answered. */
export const operatorStepUp = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/operator/step-up",
    sensitive: true,
    tags: ["caller", "limit:auth"],
  },
  async (req: OperatorStepUpRequest): Promise<OperatorLoginResponse> => {
    const caller = currentCaller();
    // Whatever others show, it proves nothing here.
    if (caller.kind !== "operator") throw errors.invalid_credentials();
    return answerStaff(isByCookie(), () => stepUpOperator(caller, req, new Date(), callerAddress()));
  },
);

interface OperatorLogoutResponse {
  /** Removes the cookie of who came by it. */
  setCookie?: Header<"Set-Cookie">;
}

/** Ends the operator's session of the token; does nothing for other callers. */
export const operatorLogout = api(
  { expose: true, auth: true, method: "POST", path: "/operator/logout", tags: ["caller", "limit:auth"] },
  async (): Promise<OperatorLogoutResponse> => {
    const caller = currentCaller();
    if (caller.kind !== "operator") return {};
    await signOutOperator(caller);
    return forgetStaff();
  },
);

// Operators set themselves up with what the command printed, and sign in with password and authenticator app in one step:
// whatever of it is wrong, the answer and the work are the same (refusal.ts), so a right password cannot be told from a wrong one. A
// session is looked up with each request, so its end (removed, reset, signed out) is known at once; it ends when it was not
// used for a quarter of an hour, and after four hours. As long as Sentry's superusers have (src/sentry/auth/superuser.py);
// impersonation at WorkOS lasts one (https://workos.com/docs/authkit/impersonation).
import { randomBytes } from "node:crypto";
import { defineAction } from "../../audit/action";
import { recordForPlatform } from "../../audit/platform";
import { cfg } from "../../config";
import { newId } from "../../db/ids";
import { withSystem, type Tx } from "../../db/tenant";
import { spellEmail } from "../../mail/email";
import { databaseClock } from "../../security/database-clock";
import { open as unseal, seal } from "../../security/envelope";
import { isOperatorPermission } from "../../security/permissions";
import { limits } from "../../security/limits";
import type { AuthData, Caller } from "../../security/principal";
import { onBehalfOf } from "../../security/provenance";
import { RecentMap } from "../../security/recent-map";
import { countAttemptHere, noteTry } from "../attempts";
import { errors } from "../errors";
import { operatorTotpKey } from "../factors/keys";
import { CODE_FAILURES_MAX } from "../factors/proof";
import { describeSecret, matchStep, SECRET_BYTES } from "../factors/totp";
import { isKnownPlace, placeOf } from "../known-places";
import { screenPassword } from "../password-screen";
import { checkPassword, hashPassword } from "../passwords";
import {
  operatorActivate,
  operatorFindByEmail,
  operatorFindEmail,
  operatorFindBySetup,
  operatorFindForUpdate,
  operatorNotePlace,
  operatorSessionDelete,
  operatorSessionDeleteAll,
  operatorSessionInsert,
  operatorSessionProve,
  operatorSessionUse,
  operatorSetCredentials,
  operatorUseStep,
  type OperatorRow,
} from "../store/operators";
import { DEVELOPMENT_EMAIL } from "./development-operator";
import { refuse } from "./refusal";
import { createToken, hashToken, isToken } from "./token";

const SESSION_SECONDS = 4 * 3_600;
export const SESSION_IDLE_SECONDS = 900;
const SESSIONS_MAX = 10;

/** By digest: tokens that this process gave out, or that were good when it last looked. */
const good = new RecentMap<true>(1_000);
const digestOf = (token: string): string => hashToken(token).toString("base64url");

const activated = defineAction("operator.account.activated", {});
const signedIn = defineAction("operator.session.opened", {});
const steppedUp = defineAction("operator.session.stepped_up", {});

const actor = ({ id }: Pick<OperatorRow, "id">): string => `operator:${id}`;
const target = ({ id }: Pick<OperatorRow, "id">): { type: string; id: string } => ({ type: "operator", id });

/**
 * A password and a secret for an authenticator app, both waiting for completeSetup; again replaces them.
 * @throws APIError operator_setup_invalid, weak_password, password_unchecked.
 */
export async function beginSetup(
  input: { setupToken: string; password: string },
  address: string,
): Promise<{ secret: string; uri: string }> {
  const passwordHash = await hashNew(input, address);
  return withSystem("operator-setup", async (tx) => {
    const operator = await findSetup(tx, input.setupToken, address);
    const secret = randomBytes(SECRET_BYTES);
    const totpSealed = seal(operatorTotpKey(), secret, operator.id);
    await operatorSetCredentials(tx, { id: operator.id, passwordHash, totpSealed });
    return describeSecret(secret, { issuer: `${cfg.auth.issuer} operator`, email: operator.email });
  });
}

/** Screening and hashing are dear: not for who has no set-up. Outside of the transaction, which holds a connection. */
async function hashNew(
  { setupToken, password }: { setupToken: string; password: string },
  address: string,
): Promise<string> {
  limits.assertFewFailures("signIn", address);
  const { email } = await withSystem("operator-setup", (tx) => findSetup(tx, setupToken, address));
  await screenPassword(password, { email, names: [] });
  return hashPassword(password);
}

async function findSetup(tx: Tx, token: string, address: string): Promise<OperatorRow> {
  const operator = isToken("setup", token) ? await operatorFindBySetup(tx, hashToken(token)) : undefined;
  if (operator !== undefined) return operator;
  limits.countFailure("signIn", address);
  throw errors.operator_setup_invalid();
}

/** With a code of the app: from now on the operator can sign in, and the set-up is over. @throws APIError operator_setup_invalid, second_factor_invalid. */
export async function completeSetup(
  input: { setupToken: string; code: string },
  now: Date,
  address: string,
): Promise<void> {
  limits.assertFewFailures("signIn", address);
  await withSystem("operator-setup", async (tx) => {
    const operator = await findSetup(tx, input.setupToken, address);
    if (operator.totpSealed === null) throw errors.operator_setup_invalid({ internal: "no password yet" });
    const secret = unseal(operatorTotpKey(), operator.totpSealed, operator.id);
    const totpStep = matchStep(secret, input.code, databaseClock.at(now), null);
    if (totpStep === undefined) {
      limits.countFailure("signIn", address);
      throw errors.second_factor_invalid();
    }
    const place = placeOf(operator.id, address);
    if (place !== undefined) operatorNotePlace(tx, operator.id, place);
    await operatorActivate(tx, { id: operator.id, totpStep });
    await operatorSessionDeleteAll(tx, operator.id);
    await onBehalfOf(actor(operator), () => recordForPlatform(tx, activated, { target: target(operator), fields: {} }));
  });
}

export interface OperatorSignedIn {
  token: string;
  /** Seconds until the session ends, however much it is used. */
  expiresIn: number;
}

export interface OperatorProof {
  password: string;
  code: string;
}

/** @throws APIError invalid_credentials, whatever of it is wrong; rate_limited. */
export function signInOperator(
  input: OperatorProof & { email: string },
  now: Date,
  address: string,
): Promise<OperatorSignedIn> {
  return prove(input, now, address, openOperatorSession);
}

/**
 * The session shows again who it is: for ten minutes it may do what is `fresh`, under another token (ASVS 5.0 7.2.4). The one
 * before is refused from now on, and the session ends when it would have.
 * @throws APIError as signInOperator; invalid_token when the session has ended meanwhile.
 */
export async function stepUpOperator(
  caller: Caller,
  proof: OperatorProof,
  now: Date,
  address: string,
): Promise<OperatorSignedIn> {
  const { subjectId, sessionId } = caller;
  const email = await operatorFindEmail(subjectId);
  return prove({ ...proof, email }, now, address, async (tx, operatorId) => {
    const token = createToken("session");
    const session = { id: sessionId ?? "", operatorId, hash: hashToken(token) };
    const expiresIn = await operatorSessionProve(tx, session);
    if (expiresIn === undefined) throw errors.invalid_token();
    const facts = { target: target({ id: operatorId }), fields: {} };
    await onBehalfOf(actor({ id: operatorId }), () => recordForPlatform(tx, steppedUp, facts));
    return { token, expiresIn };
  });
}

/** What is done in the transaction that found the proof right. */
type Open = (tx: Tx, operatorId: string) => Promise<OperatorSignedIn>;

async function prove(
  input: OperatorProof & { email: string },
  now: Date,
  address: string,
  open: Open,
): Promise<OperatorSignedIn> {
  limits.assertFewFailures("signIn", address);
  const email = spellEmail(input.email);
  const attempt = email === undefined ? undefined : await countAttemptHere(`operator:${email}`, address);
  const operator = email === undefined ? undefined : await operatorFindByEmail(email);
  const checkedHash = operator?.isActive === true ? (operator.passwordHash ?? undefined) : undefined;
  const isKnown = isKnownPlace(operator, address);
  if (!isKnown) await attempt?.countForAll();
  const attemptHere = noteTry(address, "signing in", isKnown);
  const knewPassword = await checkPassword(input.password, checkedHash, attemptHere.rank);
  const shown = { id: operator?.id, checkedHash, knewPassword, code: input.code };
  const session = await openIfRight(shown, now, address, open);
  if (session === undefined) {
    limits.countFailure("signIn", address);
    throw errors.invalid_credentials();
  }
  attemptHere.succeeded();
  await attempt?.forget();
  return keepOperatorSession(session);
}

/** Once the transaction that opened it, or gave it its token, has committed. */
export function keepOperatorSession(session: OperatorSignedIn): OperatorSignedIn {
  good.set(digestOf(session.token), true);
  return session;
}

/** A session of who has shown who they are. */
export async function openOperatorSession(
  tx: Tx,
  operatorId: string,
  isProvenToItsEnd = false,
): Promise<OperatorSignedIn> {
  const token = createToken("session");
  const session = { id: newId(), operatorId, hash: hashToken(token), isProvenToItsEnd };
  await operatorSessionInsert(tx, { ...session, lifetimeSeconds: SESSION_SECONDS, keep: SESSIONS_MAX });
  const facts = { target: target({ id: operatorId }), fields: {} };
  await onBehalfOf(actor({ id: operatorId }), () => recordForPlatform(tx, signedIn, facts));
  return { token, expiresIn: SESSION_SECONDS };
}

interface Shown {
  /** Undefined for an e-mail of nobody. */
  id: string | undefined;
  /** What the password was checked against. */
  checkedHash: string | undefined;
  knewPassword: boolean;
  code: string;
}

/** Undefined for whatever is wrong, after the same statements (refusal.ts). */
function openIfRight(
  { id = newId(), checkedHash, knewPassword, code }: Shown,
  now: Date,
  address: string,
  open: Open,
): Promise<OperatorSignedIn | undefined> {
  return withSystem("operator-sign-in", async (tx) => {
    const operator = await operatorFindForUpdate(tx, id);
    const totpStep = operator && stepOf(operator, code, now);
    const isStill = knewPassword && operator?.isActive === true && operator.passwordHash === checkedHash;
    if (!isStill || totpStep === undefined) {
      await refuse(tx, { operatorId: id, knewPassword: isStill });
      return undefined;
    }
    const place = placeOf(id, address);
    if (place !== undefined) operatorNotePlace(tx, id, place);
    await operatorUseStep(tx, { id, totpStep });
    return open(tx, id);
  });
}

/** After too many wrong codes only `operator reset` helps (NIST SP 800-63B-4 §3.2.2). */
function stepOf({ id, totpSealed, totpStep, totpFailures }: OperatorRow, code: string, now: Date): number | undefined {
  if (totpSealed === null || totpFailures >= CODE_FAILURES_MAX) return undefined;
  return matchStep(unseal(operatorTotpKey(), totpSealed, id), code, databaseClock.at(now), totpStep);
}

/** Whether a token was good when it was last looked at, in this process: what its neighbours invent does not shut it out. */
export const wasGoodToken = (token: string): boolean =>
  isToken("session", token) && good.get(digestOf(token)) !== undefined;

interface TokenRead {
  /** A page asks by itself: whoever is signed in does not use the session by it. */
  isBackground?: boolean;
  isProduction?: boolean;
}

/** Whom a session's token speaks for. @throws TypeError when it is none, over, or of development in production. */
export async function readOperatorToken(
  token: string,
  { isBackground = false, isProduction = cfg.env === "production" }: TokenRead = {},
): Promise<AuthData> {
  const unknownEmail = isProduction ? DEVELOPMENT_EMAIL : null;
  const session = isToken("session", token)
    ? await operatorSessionUse(hashToken(token), {
        idleSeconds: SESSION_IDLE_SECONDS,
        unknownEmail,
        isUse: !isBackground,
      })
    : undefined;
  if (session === undefined) {
    good.delete(digestOf(token));
    throw new TypeError("no such session of an operator");
  }
  good.set(digestOf(token), true);
  const { id: sessionId, operatorId: userID, permissions, provenAt } = session;
  const scope = permissions.filter(isOperatorPermission).join(" ");
  return { userID, kind: "operator", sessionId, scope, authTime: String(provenAt) };
}

export async function signOutOperator({ sessionId }: Caller): Promise<void> {
  if (sessionId === undefined) return;
  await withSystem("operator-sign-in", (tx) => operatorSessionDelete(tx, sessionId));
}

// What a request from another process of the app says about its caller (contract T-20): written to calls that leave this
// process, and read, once the signature is checked, from those that come in.
import type { ServiceKey } from "../config";
import { DecodeError } from "../schema/errors";
import { toWire } from "../schema/header-encoder";
import { base32, Trace } from "../trace";
import type { Authenticator } from "./authentication";
import type { Caller } from "./exchange";
import { Failure, unfitAuthData } from "./failure";
import { firstHeader, headerValues, type HeaderLines } from "./inbound";
import { AUTH_METHOD, problemOf, sign, type Scope } from "./service-auth";

const PREFIX = "x-encore-meta-";
const CALLER = `${PREFIX}caller`;
/** Headers that the caller's side of a call has the only word on. */
const OWN = new Set(["traceparent", "tracestate"]);
const TRACEPARENT = /^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$/;
const SPAN_ID = /(?:^|,)encore\/span-id=([0-9a-f]{16})(?:,|$)/;
const CALLER_TEXT = /^(?:api:[^.]+\..+|pubsub:[^:]+:[^:]+:.+|app:.*|gateway:.+|encore:.+)$/;

export interface MetaOut {
  /** `api:<service>.<endpoint>`, `pubsub:<topic>:<subscription>:<message>`, `app:<deploy>` or `gateway:<name>`. */
  from: string;
  /** The span that calls. */
  trace: Trace | undefined;
  user: Caller | null;
}

/** A caller that was recognised. */
export interface MetaIn {
  /** A gateway speaks for a client: it may do what clients may. Services reach endpoints that are not exposed, too. */
  isGateway: boolean;
  user: Caller | null;
  trace: Trace;
}

/** `lines` without anything that only a recognised caller may say. */
export function withoutMeta(lines: HeaderLines): string[] {
  const kept: string[] = [];
  for (let i = 0; i < lines.length; i += 2) {
    const name = (lines[i] ?? "").toLowerCase();
    if (!name.startsWith(PREFIX) && !OWN.has(name)) kept.push(name, lines[i + 1] ?? "");
  }
  return kept;
}

/** The header lines of a call, signed; `lines` are those it has already. */
export function withMeta(lines: HeaderLines, { from, trace, user }: MetaOut, key: ServiceKey, scope: Scope): string[] {
  const out = [...withoutMeta(lines), `${PREFIX}version`, "1"];
  if (trace) out.push("traceparent", trace.traceparent, "tracestate", trace.tracestate);
  if (user) out.push(`${PREFIX}userid`, toWire(user.userId), `${PREFIX}authdata`, toWire(user.text));
  out.push(CALLER, toWire(from));
  return [...out, ...sign(out, key, scope, Date.now())];
}

const unreadable = (problem: string, cause?: string): Failure =>
  new Failure(
    "invalid_argument",
    `unable to parse request: ${problem}${cause === undefined ? "" : `\n\nCaused by:\n    ${cause}`}`,
  );

/** A new span of the caller's; gateways have none of their own. */
function traceOf(lines: HeaderLines, isGateway: boolean): Trace {
  const [, traceHex, parentHex = ""] = TRACEPARENT.exec(headerValues(lines, "traceparent")[0] ?? "") ?? [];
  if (traceHex === undefined) return new Trace();
  const [, spanHex] = SPAN_ID.exec(headerValues(lines, "tracestate").join(",")) ?? [];
  const traceId = base32(Buffer.from(traceHex, "hex"));
  if (isGateway || spanHex === undefined) return Trace.known(traceId, new Trace().spanId);
  return new Trace(Trace.known(traceId, base32(Buffer.from(spanHex || parentHex, "hex"))));
}

function userOf(lines: HeaderLines, authenticator: Authenticator | null): Caller | null {
  const [userId] = headerValues(lines, `${PREFIX}userid`);
  if (userId === undefined) return null;
  const [text = "{}"] = headerValues(lines, `${PREFIX}authdata`);
  try {
    return authenticator?.callerFrom(userId, text) ?? { userId, text, data: { userID: userId } };
  } catch (error) {
    throw error instanceof DecodeError ? unfitAuthData(error) : error;
  }
}

/**
 * Who calls, when the request says so; null when it does not.
 * @throws Failure `unable to parse request` when what it says is not to be believed
 */
export function readMeta(
  lines: HeaderLines,
  keys: readonly ServiceKey[],
  authenticator: Authenticator | null,
): MetaIn | null {
  const from = firstHeader(lines, CALLER);
  if (from === undefined) return null;
  if ((headerValues(lines, `${PREFIX}version`)[0] ?? "1") !== "1") throw unreadable("unknown encore meta version");
  const [method] = headerValues(lines, `${PREFIX}svc-auth-method`);
  if (keys.length === 0 || method !== AUTH_METHOD) throw unreadable("unknown service auth method");
  const problem = problemOf(lines, keys, Date.now());
  if (problem !== null) throw unreadable("invalid service authentication data", problem);
  if (!CALLER_TEXT.test(from)) throw unreadable("invalid meta caller", "invalid caller string");
  const isGateway = from.startsWith("gateway:");
  return { isGateway, user: userOf(lines, authenticator), trace: traceOf(lines, isGateway) };
}

// One request with an Idempotency-Key: claimed → served → answered, or released.
//   claimed   a row of the key is leased to this request by the database's clock; others with the key get 409.
//   served    the endpoint runs as a unit of work (db/unit-of-work.ts): its last transaction commits together with the answer;
//             a commit before that marks that something was changed, and is refused when the lease has gone to another.
//   answered  the same key gets this answer until the row expires.
//   released  the endpoint failed and had changed nothing: the key is free, as if the request had not been sent.
// After Stripe (https://docs.stripe.com/api/idempotent_requests) and the IETF's draft-ietf-httpapi-idempotency-key-header-07;
// unlike Stripe's, errors without an effect are not kept: the client may correct what was wrong elsewhere and repeat.
import { randomUUID } from "node:crypto";
import type { HandlerResponse, MiddlewareRequest, Next } from "encore.dev/api";
import { cfg } from "../config";
import { withSystem, withTenant, type Tx } from "../db/tenant";
import { UnitOfWork } from "../db/unit-of-work";
import { commonErrors } from "../security/common-errors";
import type { AnswerKeeper } from "../security/idempotency";
import { sealedBy } from "../security/envelope";
import { normaliseError } from "../security/normalise";
import { currentCaller, type Caller } from "../security/principal";
import { logger } from "../telemetry/logger";
import { openAnswer, readAnswer, responseOf, sealAnswer, writeAnswer, type Answer } from "./answer";
import { errors } from "./errors";
import { fingerprintOf } from "./fingerprint";
import { hashOf, keyFrom } from "./key-text";
import { holdLease, LEASE_MS } from "./leases";
import * as store from "./store";

const log = logger("idempotency");

/** On an answer that was given before, as Stripe names it. */
export const REPLAYED_HEADER = "idempotent-replayed";
/** Times that a key is looked at again which went just then. */
const CLAIMS_MAX = 3;

/** A request that has the key to itself. */
interface Claim {
  name: store.KeyName;
  key: string;
  leaseId: string;
}

export const keepAnswers: AnswerKeeper = async (req, next, call, sent) => {
  const key = keyFrom(sent);
  const name: store.KeyName = { ...ownerOf(currentCaller()), keyHash: hashOf(key) };
  const fingerprint = await fingerprintOf(call.method, call.path, readOf(req));
  const leaseId = randomUUID();
  for (let attempt = 1; attempt <= CLAIMS_MAX; attempt++) {
    const known = await claimOrFind(name, leaseId, fingerprint);
    if (known === "claimed") return serve(req, next, { name, key, leaseId });
    if (known !== undefined) return replay(known, fingerprint, name, key);
  }
  throw errors.idempotency_key_in_use({ retryAfterSeconds: 1 });
};

function ownerOf({ tenantId, kind, subjectId, actor }: Caller): Pick<store.KeyName, "tenantId" | "principal"> {
  return { tenantId, principal: actor === undefined ? `${kind}:${subjectId}` : `${kind}:${subjectId} by ${actor}` };
}

/** Everything the endpoint reads of the request. */
function readOf(req: MiddlewareRequest): unknown {
  const meta = req.requestMeta;
  if (meta?.type === "api-call" && !meta.api.raw && req.stream === undefined) return meta.parsedPayload ?? null;
  throw commonErrors.endpoint_closed({ internal: "idempotent: raw endpoints and streams have no answer to keep" });
}

function inScope<T>({ tenantId }: store.KeyName, fn: (tx: Tx) => Promise<T>): Promise<T> {
  return tenantId === null ? withSystem("idempotency-of-the-caller", fn) : withTenant({ tenantId }, fn);
}

const claimOrFind = (name: store.KeyName, leaseId: string, fingerprint: Buffer) =>
  inScope(name, async (tx) => {
    const claim = { leaseId, fingerprint, leaseMs: LEASE_MS, keepSeconds: cfg.idempotency.keepHours * 3600 };
    return (await store.requestClaim(tx, name, claim)) ? ("claimed" as const) : store.requestFind(tx, name);
  });

/** @throws APIError idempotency_key_reused, idempotency_key_in_use, idempotency_answer_unknown, or the one that was kept */
function replay(known: store.RequestRow, fingerprint: Buffer, name: store.KeyName, key: string): HandlerResponse {
  if (!known.fingerprint.equals(fingerprint)) throw errors.idempotency_key_reused();
  if (!known.isAnswered) {
    if (known.isLeased || !known.hasEffect) throw errors.idempotency_key_in_use({ retryAfterSeconds: 1 });
    throw errors.idempotency_answer_unknown({ internal: "its server died between the effect and the answer" });
  }
  if (known.answer === null) throw errors.idempotency_answer_unknown({ internal: "too large to keep" });
  const text = openAnswer(known.answer, name, key);
  if (text === undefined) throw errors.idempotency_answer_unknown({ internal: "its master key is gone" });
  const response = responseOf(readAnswer(text));
  response.header.set(REPLAYED_HEADER, "true");
  return response;
}

async function serve(req: MiddlewareRequest, next: Next, claim: Claim): Promise<HandlerResponse> {
  const letGo = holdLease(claim.leaseId);
  const { name, leaseId } = claim;
  let unit: UnitOfWork | undefined;
  try {
    const scope = name.tenantId === null ? SYSTEM : ({ kind: "tenant", tenantId: name.tenantId } as const);
    unit = await UnitOfWork.begin(scope, async (tx) => {
      if ((await store.requestMarkEffect(tx, name, leaseId)).isLost) throw lost();
    });
    const response = await unit.run(() => next(req));
    return await answer(response, unit, claim);
  } catch (thrown) {
    throw await fail(thrown, unit, claim);
  } finally {
    letGo();
  }
}

const SYSTEM = { kind: "system", reason: "idempotency-of-the-caller" } as const;
const lost = (): Error =>
  errors.idempotency_key_in_use({ retryAfterSeconds: 1, internal: "another request has taken the key over" });

/** Keeps the answer with the effect, and returns it as everybody gets it. */
async function answer(response: HandlerResponse, unit: UnitOfWork, claim: Claim): Promise<HandlerResponse> {
  const { extraHeaders: headers, status } = response.__internalToResponse();
  const text = writeAnswer({
    payload: response.payload,
    ...(headers && { headers }),
    ...(status !== undefined && { status }),
  });
  if (text === undefined) log.warn("an answer is too large to be given again");
  await settle(unit, claim, (tx) => keep(tx, claim, text));
  return text === undefined ? response : responseOf(readAnswer(text));
}

async function keep(tx: Tx, { name, key, leaseId }: Claim, text: string | undefined): Promise<void> {
  const sealed = text === undefined ? undefined : sealAnswer(text, name, key);
  const kept = sealed === undefined ? null : { sealed, keyId: sealedBy(sealed) };
  if (!(await store.requestAnswer(tx, name, leaseId, kept))) throw lost();
}

/** In the transaction that is held, or else in one of its own. */
async function settle(unit: UnitOfWork | undefined, { name }: Claim, last: (tx: Tx) => Promise<void>): Promise<void> {
  if (unit === undefined || !(await unit.finish(last))) await inScope(name, last);
}

/**
 * The error to throw. One after an effect is kept as the answer; any other frees the key. When not even that can be said,
 * the lease ends by itself.
 */
async function fail(thrown: unknown, unit: UnitOfWork | undefined, claim: Claim): Promise<unknown> {
  const { name, leaseId } = claim;
  let kept: Error | undefined;
  const last = async (tx: Tx): Promise<void> => {
    if (!(await store.requestHasEffect(tx, name, leaseId))) return store.requestRelease(tx, name, leaseId);
    const error = normaliseError(thrown);
    await keep(tx, claim, writeAnswer({ error: errorOf(error) }));
    kept = error;
  };
  try {
    await settle(unit, claim, last).catch(() => settle(undefined, claim, last));
  } catch (error) {
    log.warn({ err: error }, "a key could not be given back: it is free when its lease ends");
  }
  return kept ?? thrown;
}

const errorOf = ({ code, message, details }: ReturnType<typeof normaliseError>): NonNullable<Answer["error"]> => ({
  code,
  message,
  ...(details && { details: { ...details } }),
});

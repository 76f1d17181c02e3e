// A webhook that came in: whose it is, whether it was signed by whom we share a secret with, and lately, and whether it came before. It is an
// event then, in one transaction with the note that it came: it acts once, however often it is sent, and who sent it needs to wait for nothing.
import { withTenant } from "../../db/tenant";
import { webhookReceived } from "../../events/catalog/webhooks";
import { emit } from "../../events/outbox";
import { isUuid } from "../../db/ids";
import { storableJson } from "../../db/storable-json";
import { isBounded } from "../../security/bounded-json";
import { databaseClock } from "../../security/database-clock";
import { reasonOf } from "../../security/errors";
import { refusedBody } from "../../security/json-body";
import { tenantIdFrom } from "../../security/principal";
import { wellFormed } from "../../security/well-formed";
import { errors } from "./errors";
import { readSecrets } from "./sources";
import { receivedInsert, sourceKnown, type KnownSource } from "./store/sources";
import { verifyIncoming, type Incoming, type Scheme, type Verified } from "./verifying";

/** What is in a body is in an event, which has 256 KiB. */
export const BODY_BYTES_MAX = 128 << 10;
const DEPTH_MAX = 64;
const VALUES_MAX = 20_000;

/**
 * Resolves with whether it was new. Whoever is refused hears the same, whatever is wrong: no source of this id, its scheme, time or secret.
 * @throws APIError webhook_refused, invalid_request
 */
export async function takeWebhook(sourceId: string, incoming: Incoming): Promise<boolean> {
  const source = isUuid(sourceId) ? await sourceKnown(sourceId) : undefined;
  if (source === undefined) throw errors.webhook_refused({ internal: "there is no such source" });
  const verified = await verify(source, incoming);
  if (verified === undefined) throw errors.webhook_refused({ internal: `not verified by the scheme ${source.scheme}` });
  const body = bodyOf(incoming.body);
  const tenantId = tenantIdFrom(source.tenantId);
  const { dedupeKey, messageId } = verified;
  return withTenant({ tenantId }, async (tx) => {
    if (!(await receivedInsert(tx, { tenantId, sourceId, dedupeKey }))) return false;
    const { name, scheme } = source;
    const about = { aggregateType: "webhook_source", aggregateId: sourceId };
    const eventType = eventTypeOf(scheme, incoming, body);
    await emit(tx, webhookReceived, { sourceId, sourceName: name, scheme, messageId, eventType, body }, about);
    return true;
  });
}

async function verify(
  { id, tenantId, scheme, isRotating }: KnownSource,
  incoming: Incoming,
): Promise<Verified | undefined> {
  const secrets = await readSecrets({ tenantId: tenantIdFrom(tenantId) }, id).catch((error: unknown) => {
    // It was removed a moment ago.
    if (reasonOf(error) === "secret_not_found") return [];
    throw error;
  });
  const good = isRotating ? secrets : secrets.slice(0, 1);
  return verifyIncoming(scheme, good, incoming, Math.floor(databaseClock.nowMs() / 1_000));
}

/** JSON; what is none, as text. Without NUL and lone halves of characters, which Postgres keeps not. @throws APIError invalid_request */
function bodyOf(bytes: Buffer): unknown {
  const body = jsonOf(bytes.toString());
  if (!isBounded(body, DEPTH_MAX, VALUES_MAX))
    throw refusedBody(`holds more than ${VALUES_MAX} values, or is nested more than ${DEPTH_MAX} deep`);
  return JSON.parse(storableJson(JSON.stringify(body)));
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const TYPE_CHARS_MAX = 200;

/** What its sender calls it: GitHub in a header, which is not signed, the others in the body's `type`, which is. */
function eventTypeOf(scheme: Scheme, { headers }: Incoming, body: unknown): string {
  const ofBody = typeof body === "object" && body !== null && "type" in body ? body.type : "";
  const told = scheme === "github" ? (headers["x-github-event"] ?? ofBody) : ofBody;
  return typeof told === "string" ? wellFormed(told.slice(0, TYPE_CHARS_MAX)) : "";
}

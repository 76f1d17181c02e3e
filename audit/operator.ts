// The third door to the data: somebody of the platform's staff looks into one organisation. What they see they see only
// together with an entry in that organisation's own log that says who, what and why: of a look that succeeds in its
// transaction, of one that fails in another, because an error can tell something too. What cannot be written down is not shown.
// It stands here and not in db/ because it records.
import { z } from "zod";
import { withTenant, type TransactionOptions, type Tx } from "../db/tenant";
import { hasControlCharacter } from "../security/control-characters";
import { parseInput } from "../security/input";
import { actorOf, type Caller, type TenantId } from "../security/principal";
import { onBehalfOf } from "../security/provenance";
import { defineAction } from "./action";
import { record } from "./record";

declare const brand: unique symbol;
/** Why somebody of the staff looks: told to the organisation. */
export type OperatorReason = string & { readonly [brand]: "OperatorReason" };

const REASON_MIN_CHARS = 8;
const REASON_MAX_CHARS = 500;
const reasonText = z
  .string()
  .trim()
  .min(
    REASON_MIN_CHARS,
    `is shorter than ${REASON_MIN_CHARS} characters: say for whom and what for, the organisation reads it`,
  )
  .max(REASON_MAX_CHARS, `is longer than ${REASON_MAX_CHARS} characters`);

/** How RFC 8187 begins what a header has no characters for. */
const ENCODED = "UTF-8''";

/** @throws APIError invalid_request for one that says nothing. */
export function operatorReasonFrom(text = ""): OperatorReason {
  return parseInput(z.object({ reason: reasonText }), { reason: decodedReason(text) }).reason as OperatorReason;
}

/** What is not encoded well, or hides what no header could carry, is read as it stands. */
function decodedReason(text: string): string {
  if (!text.startsWith(ENCODED)) return text;
  try {
    const decoded = decodeURIComponent(text.slice(ENCODED.length));
    return hasControlCharacter(decoded) ? text : decoded;
  } catch {
    return text;
  }
}

/** `what`: service.noun of what was looked at. */
const looked = defineAction("operator.organisation.looked", { what: "plain", reason: "plain", outcome: "plain" });

export interface OperatorLook {
  what: string;
  reason: OperatorReason;
}

/**
 * Runs `fn` as withTenant does, for an organisation that exists, on behalf of `operator`.
 * @throws Error when `operator` is nobody of the staff; what `fn` throws, once it is written down.
 */
export function withOperator<T>(
  tenantId: TenantId,
  operator: Caller,
  look: OperatorLook,
  fn: (tx: Tx) => Promise<T>,
  options?: TransactionOptions,
): Promise<T> {
  if (operator.kind !== "operator") throw new Error(`a ${operator.kind} is no operator`);
  return onBehalfOf(actorOf(operator), () => lookInto(tenantId, look, fn, options));
}

async function lookInto<T>(
  tenantId: TenantId,
  look: OperatorLook,
  fn: (tx: Tx) => Promise<T>,
  options?: TransactionOptions,
): Promise<T> {
  try {
    return await withTenant(
      { tenantId },
      async (tx) => {
        const seen = await fn(tx);
        await recordLook(tx, tenantId, look);
        return seen;
      },
      options,
    );
  } catch (error) {
    await withTenant({ tenantId }, (tx) => recordLook(tx, tenantId, look, "failed")).catch((notWritten: unknown) => {
      throw new AggregateError([error, notWritten], "a look of an operator failed and could not be written down");
    });
    throw error;
  }
}

/**
 * Writes a look down where it was made in a system transaction, because it went over several organisations: to be called
 * for each that was seen, in the order of their ids.
 */
export function recordLook(
  tx: Tx,
  tenantId: TenantId,
  { what, reason }: OperatorLook,
  outcome: "seen" | "failed" = "seen",
): Promise<void> {
  return record(tx, looked, { tenantId, fields: { what, reason, outcome } });
}

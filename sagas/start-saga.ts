// Beginning a saga: in the transaction of what it belongs to, so that neither is there without the other.
import { idFromParts, newId } from "../db/ids";
import type { Tx } from "../db/tenant";
import { enqueue } from "../queues/enqueue";
import { currentProvenance } from "../security/provenance";
import type { Saga } from "./definition";
import { errors } from "./errors";
import { jobOf } from "./job";
import { isStorable } from "./storable";
import { sagaInsert } from "./store/saga";

export interface StartOptions {
  /** Same saga, tenant and key → one saga, for as long as it is kept. */
  dedupeKey?: string;
}

/**
 * Begins the saga when the caller's transaction, which is a tenant's, commits; resolves with its id. Its steps run on behalf
 * of who causes it. @throws ZodError, TypeError, APIError saga_input_unusable
 */
export async function startSaga<Input>(
  tx: Tx,
  saga: Saga<Input>,
  input: Input,
  { dedupeKey }: StartOptions = {},
): Promise<string> {
  const { tenantId } = tx;
  if (tenantId === null) throw new Error(`saga ${saga.name} is begun in a transaction of no tenant`);
  if (saga.steps.length === 0) throw new TypeError(`saga ${saga.name} has no steps`);
  const inputText = JSON.stringify(saga.input.parse(input) ?? null);
  if (!isStorable(inputText)) throw errors.saga_input_unusable();
  // A run reads it by the same schema: one that cannot would leave it to a version of the app that never comes.
  const read = saga.input.safeParse(JSON.parse(inputText));
  if (!read.success)
    throw new TypeError(`saga ${saga.name}: its schema does not take the JSON that is stored of its input`, {
      cause: read.error,
    });
  const id = dedupeKey === undefined ? newId() : idFromParts("saga", saga.name, tenantId, dedupeKey);
  const { actor, correlationId } = currentProvenance(id);
  const stepNames = saga.steps.map(({ name }) => name);
  const { name, version } = saga;
  if (await sagaInsert(tx, { id, tenantId, name, version, stepNames, inputText, actor, correlationId }))
    await enqueue(tx, jobOf(saga), { sagaId: id });
  return id;
}

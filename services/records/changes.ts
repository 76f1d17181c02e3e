// What holds for a change of any record: it is of a living one, of the version that was stated, and the table's own rules are told as
// errors of the catalogue.
import { DbError } from "../../db/errors";
import { commonErrors } from "../../security/common-errors";
import { errors } from "./errors";
import type { Change } from "./precondition";
import type { RecordRow, Resource } from "../../db/listing/resource";
import type { Ask } from "../../db/listing/ask";
import { recordDelete, recordRestore, recordState, recordUpdate, type Setting } from "./store/change";

/** A kind of record, and what is said of one that is not there. */
export interface Kind<Row extends RecordRow> {
  resource: Resource<Row>;
  settings: Readonly<Record<string, Setting>>;
  missing: () => Error;
}

const refusals: Readonly<Record<string, () => Error>> = {
  product_sku_key: () => errors.sku_taken(),
  product_category_lives: () => errors.category_not_found({ fields: { categoryId: "names no category" } }),
  category_name_key: () => errors.category_name_taken(),
  category_parent_lives: () => errors.category_not_found({ fields: { parentId: "names no category" } }),
  category_is_no_cycle: () => errors.category_cycle(),
  category_width: () => errors.category_too_wide(),
  category_depth: () => errors.category_too_deep(),
  category_is_empty: () => errors.category_in_use(),
  account_code_key: () => errors.account_code_taken(),
  account_is_unused: () => errors.account_in_use(),
  entry_account_lives: () => errors.account_not_found({ fields: { entries: "name an account that there is not" } }),
  transaction_balances: () => errors.transaction_unbalanced(),
  transaction_reversal_key: () => errors.transaction_reversed(),
  order_has_ended: () => errors.order_under_way(),
  order_state_follows: () => errors.order_state_conflict(),
};

/** The same, with what the tables' rules refuse as errors of the catalogue. */
export const refusing =
  (ask: Ask): Ask =>
  async (text, params) => {
    try {
      return await ask(text, params);
    } catch (error) {
      const refusal = error instanceof DbError ? refusals[error.constraint ?? ""] : undefined;
      throw refusal?.() ?? error;
    }
  };

/** Sets what the patch has, in the order that the kind declares: as few different statements as can be. */
export async function patchRecord<Row extends RecordRow>(
  ask: Ask,
  { resource, settings, missing }: Kind<Row>,
  change: Change,
  patch: Readonly<Record<string, unknown>>,
): Promise<Row> {
  const changes = Object.entries(settings).flatMap(([name, setting]) =>
    patch[name] === undefined ? [] : [{ ...setting, value: patch[name] }],
  );
  if (changes.length === 0) throw commonErrors.invalid_request({ fields: { "(body)": "changes nothing" } });
  const row = await recordUpdate(refusing(ask), resource, change, changes);
  return row ?? (await refuse(ask, resource, change, missing, false));
}

export async function deleteRecord<Row extends RecordRow>(
  ask: Ask,
  { resource, missing }: Kind<Row>,
  change: Change,
): Promise<Row> {
  const row = await recordDelete(refusing(ask), resource, change);
  return row ?? (await refuse(ask, resource, change, missing, false));
}

/** What was deleted is back. */
export async function restoreRecord<Row extends RecordRow>(
  ask: Ask,
  { resource, missing }: Kind<Row>,
  change: Change,
): Promise<Row> {
  const row = await recordRestore(refusing(ask), resource, change);
  return row ?? (await refuse(ask, resource, change, missing, true));
}

/** Why a change found nothing to change. That there is no such record comes first. */
async function refuse<Row extends RecordRow>(
  ask: Ask,
  resource: Resource<Row>,
  change: Change,
  missing: () => Error,
  ofDeleted: boolean,
): Promise<never> {
  const state = await recordState(ask, resource, change);
  if (state === undefined || state.isDeleted !== ofDeleted) throw missing();
  throw errors.precondition_failed({ facts: { version: String(state.version) } });
}

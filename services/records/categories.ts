// The rules of categories. That they stay a tree is the table's own rule (migrations/63_create_catalogue.up.sql); here is who waits for whom.
import type { z } from "zod";
import { withTenant } from "../../db/tenant";
import type { Principal } from "../../security/principal";
import { deleteRecord, patchRecord, refusing, restoreRecord, type Kind } from "./changes";
import { errors } from "./errors";
import type { categoryPatch, newCategory } from "./input";
import type { Change } from "./precondition";
import { askAlone, askWithin, type Ask } from "../../db/listing/ask";
import { categories, categoryInsert, categoryLockTree, categorySettings, type CategoryRow } from "./store/categories";
import type { Place } from "./store/change";

export const categoryKind: Kind<CategoryRow> = {
  resource: categories,
  settings: categorySettings,
  missing: () => errors.category_not_found(),
};

export const createCategory = (ask: Ask, place: Place, category: z.infer<typeof newCategory>): Promise<CategoryRow> =>
  categoryInsert(refusing(ask), place, category);

/** The tree's lock comes before the row's: of two moves that would make a cycle together the second sees the first, and none waits in a circle. */
const inTree = <T>(principal: Principal, act: (ask: Ask) => Promise<T>): Promise<T> =>
  withTenant(principal, (tx) => {
    categoryLockTree(tx, principal.tenantId);
    return act(askWithin(tx));
  });

/** Changes a category, and moves it with all that stands below it where the patch names a parent. */
export function patchCategory(
  principal: Principal,
  change: Change,
  patch: z.infer<typeof categoryPatch>,
): Promise<CategoryRow> {
  const act = (ask: Ask): Promise<CategoryRow> => patchRecord(ask, categoryKind, change, patch);
  return patch.parentId === undefined ? act(askAlone(principal)) : inTree(principal, act);
}

/** Only one that nothing living stands in. */
export const deleteCategory = (principal: Principal, change: Change): Promise<CategoryRow> =>
  inTree(principal, (ask) => deleteRecord(ask, categoryKind, change));

export const restoreCategory = (principal: Principal, change: Change): Promise<CategoryRow> =>
  inTree(principal, (ask) => restoreRecord(ask, categoryKind, change));

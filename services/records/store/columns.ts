// The columns that every kind of record has.
import { plainSql } from "../../../db/plain-statement";
import type { Column, ListedRow, RecordRow } from "../../../db/listing/resource";

/** Of those that are never changed, too. */
export const listedColumns: Readonly<Record<keyof ListedRow, Column>> = {
  id: {
    sql: plainSql`id`,
    selected: plainSql`id`,
    type: "id",
    operators: ["eq", "in"],
    isSortable: false,
    isUnique: "ever",
  },
  createdAt: {
    sql: plainSql`created_at`,
    selected: plainSql`created_at as "createdAt"`,
    type: "moment",
    operators: ["gt", "gte", "lt", "lte"],
    isSortable: true,
  },
};

export const commonColumns: Readonly<Record<keyof RecordRow, Column>> = {
  id: listedColumns.id,
  version: { sql: plainSql`version`, selected: plainSql`version`, type: "integer", operators: [], isSortable: false },
  createdAt: listedColumns.createdAt,
  updatedAt: {
    sql: plainSql`updated_at`,
    selected: plainSql`updated_at as "updatedAt"`,
    type: "moment",
    operators: [],
    isSortable: false,
  },
  deletedAt: {
    sql: plainSql`deleted_at`,
    selected: plainSql`deleted_at as "deletedAt"`,
    type: "moment",
    operators: [],
    isSortable: false,
  },
};

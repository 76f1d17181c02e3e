// The SQL of the ledger's accounts that is theirs alone; lists and changes are every record's (db/listing/, change.ts).
import { plainSql } from "../../../db/plain-statement";
import type { Tx } from "../../../db/tenant";
import type { RecordRow, Resource } from "../../../db/listing/resource";
import type { Ask } from "../../../db/listing/ask";
import { inserted, type Place, type Setting } from "./change";
import { commonColumns } from "./columns";

export type AccountKind = "asset" | "liability" | "equity" | "income" | "expense";

export interface AccountRow extends RecordRow {
  code: string;
  name: string;
  kind: AccountKind;
}

export const accounts: Resource<AccountRow> = {
  table: plainSql`records.account`,
  columns: {
    ...commonColumns,
    code: {
      sql: plainSql`code`,
      selected: plainSql`code`,
      type: "text",
      operators: ["eq", "in", "starts"],
      isSortable: true,
      isUnique: "living",
    },
    name: {
      sql: plainSql`name`,
      selected: plainSql`name`,
      type: "text",
      operators: ["eq", "in", "starts"],
      isSortable: true,
    },
    kind: { sql: plainSql`kind`, selected: plainSql`kind`, type: "text", operators: ["eq", "in"], isSortable: false },
  },
  includes: {},
};

/** The fields that a change may set. */
export const accountSettings = {
  name: { set: plainSql`name =`, cast: plainSql`::text` },
} as const satisfies Readonly<Record<string, Setting>>;

export type NewAccount = Pick<AccountRow, "code" | "name" | "kind">;

const INSERT = plainSql`insert into records.account (tenant_id, id, code, name, kind, created_at, updated_at) values ($1, $2, $3, $4, $5, now(), now())`;
const RETURNED = plainSql`returning id, version, created_at as "createdAt", updated_at as "updatedAt", deleted_at as "deletedAt", code, name, kind`;
const INSERT_RETURNING = plainSql`${INSERT} ${RETURNED}`;
const INSERT_IF_NEW = plainSql`${INSERT} on conflict do nothing`;

export async function accountInsert(
  ask: Ask,
  { tenantId, id }: Place,
  { code, name, kind }: NewAccount,
): Promise<AccountRow> {
  return inserted(await ask<AccountRow>(INSERT_RETURNING, [tenantId, id, code, name, kind]));
}

/** Makes it, unless it is there. Who makes it at the same moment is waited for. */
export function accountInsertIfNew(tx: Tx, { tenantId, id }: Place, { code, name, kind }: NewAccount): void {
  tx.executeLater(INSERT_IF_NEW, [tenantId, id, code, name, kind]);
}

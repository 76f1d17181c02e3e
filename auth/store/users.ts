// An organisation's members as records with one way to list them (db/listing/). They are read in the system's scope, because accounts are
// of no tenant: each statement of a list names the organisation.
import { askAsSystem } from "../../db/listing/ask";
import type { ListedRow, Resource } from "../../db/listing/resource";
import { plainSql } from "../../db/plain-statement";
import type { MemberRole } from "../../security/permissions";

export interface UserRow extends ListedRow {
  email: string;
  role: MemberRole;
  roleId: string | null;
}

export const users: Resource<UserRow> = {
  table: plainSql`(select m.tenant_id, m.account_id as id, m.created_at, a.email, m.role, m.role_id
    from auth.membership m join auth.account a on a.id = m.account_id)`,
  isAppendOnly: true,
  columns: {
    id: {
      sql: plainSql`id`,
      selected: plainSql`id`,
      type: "id",
      operators: ["eq", "in"],
      isSortable: false,
      isUnique: "ever",
    },
    email: {
      sql: plainSql`email`,
      selected: plainSql`email`,
      type: "text",
      operators: ["eq", "in"],
      isSortable: false,
      isUnique: "ever",
    },
    role: { sql: plainSql`role`, selected: plainSql`role`, type: "text", operators: ["eq", "in"], isSortable: false },
    roleId: {
      sql: plainSql`role_id`,
      selected: plainSql`role_id as "roleId"`,
      type: "id",
      operators: ["eq", "in"],
      isSortable: false,
    },
    createdAt: {
      sql: plainSql`created_at`,
      selected: plainSql`created_at as "createdAt"`,
      type: "moment",
      operators: ["gt", "gte", "lt", "lte"],
      isSortable: true,
    },
  },
  includes: {},
};

export const askUsers = askAsSystem("members-with-their-addresses");

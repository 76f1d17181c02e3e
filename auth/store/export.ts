// What an organisation's export holds of auth: who may do what in it. Of people their address, as the members' list shows
// it; of keys and invitations nothing that opens anything.
import { declareExport } from "../../db/tenant-export";

const NEWEST = { created_at: "timestamptz", id: "uuid" };

declareExport("auth", {
  exported: [
    {
      name: "auth.organisation",
      isFromTheStart: true,
      order: { id: "uuid" },
      columns: ["id", "name", "created_at"],
      omitted: { purge_at: "null while anybody can export it", revision: "what access tokens are compared with" },
      tenantColumn: "id",
    },
    {
      name: "auth.role",
      order: { id: "uuid" },
      columns: ["id", "name", "permissions", "created_at"],
      omitted: { revision: "what access tokens are compared with" },
    },
    {
      name: "auth.membership",
      isFromTheStart: true,
      order: { created_at: "timestamptz", account_id: "uuid" },
      columns: ["account_id", "role", "role_id", "created_at"],
      personal: ["email"],
      omitted: { revision: "what access tokens are compared with" },
      joined: {
        reason: "members-with-their-addresses",
        sql: "join auth.account a on a.id = t.account_id",
        columns: { email: "a.email" },
      },
    },
    {
      name: "auth.invitation",
      order: NEWEST,
      columns: ["id", "email", "role", "role_id", "invited_by", "created_at", "expires_at"],
      personal: ["email"],
      omitted: { hash: "of the token that opens it" },
    },
    {
      name: "auth.domain",
      order: { name: "text" },
      columns: ["id", "name", "created_at", "verified_at"],
      omitted: {
        token: "of the record that shows whose the domain is",
        checked_at: "when that record was looked for",
        missing_since: "when that record was looked for",
        unanswered_since: "when that record was looked for",
        warned_at: "when owners were told of it",
        next_check_at: "when that record is looked for",
      },
    },
    {
      name: "auth.identity_provider",
      order: { id: "uuid" },
      columns: ["id", "issuer", "client_id", "default_role", "is_required", "created_at", "updated_at"],
      omitted: { vouch_id: "what sessions are compared with" },
    },
    {
      name: "auth.service_principal",
      order: NEWEST,
      columns: ["id", "name", "permissions", "disabled_at", "created_at"],
    },
    {
      name: "auth.api_key",
      order: NEWEST,
      columns: [
        ...["id", "account_id", "service_id", "name", "prefix", "permissions", "networks"],
        ...["created_at", "rotated_at", "expires_at", "last_used_at"],
      ],
      omitted: {
        hash: "of the key",
        previous_hash: "of the key before",
        previous_until: "of the key before",
      },
    },
  ],
  left: {
    "auth.ended_membership": "people who are members no more: the audit log has who left when",
  },
});

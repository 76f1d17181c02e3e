// What an organisation's export holds of notifications. And the end of all of it, or of what is one person's.
import { declareExport } from "../../../db/tenant-export";
import type { DeleteSome } from "../../../db/tenant-purge";

declareExport("notifications", {
  exported: [
    {
      name: "notifications.notification",
      order: { id: "uuid" },
      columns: ["id", "category", "content", "sender", "dedupe_key", "recipients", "created_at"],
      personal: ["content", "sender"],
    },
    {
      name: "notifications.recipient",
      order: { user_id: "uuid", notification_id: "uuid" },
      columns: ["user_id", "notification_id", "state", "is_shown", "seq", "created_at", "read_at", "archived_at"],
      personal: ["user_id"],
    },
    {
      name: "notifications.delivery",
      order: { id: "uuid" },
      columns: [
        ...["id", "notification_id", "user_id", "channel", "destination", "state", "reason", "held_until", "digest_id"],
        ...["created_at", "updated_at"],
      ],
      personal: ["user_id", "destination"],
    },
    {
      name: "notifications.preference",
      order: { user_id: "uuid" },
      columns: ["user_id", "settings", "updated_at"],
      personal: ["user_id", "settings"],
    },
    {
      name: "notifications.push_subscription",
      order: { id: "uuid" },
      columns: ["id", "user_id", "endpoint", "created_at"],
      personal: ["user_id", "endpoint"],
      omitted: {
        endpoint_hash: "finds the endpoint again",
        p256dh: "wakes the browser, with the next",
        auth: "wakes the browser",
        vapid_key_id: "names a key of the installation",
      },
    },
    {
      name: "notifications.template",
      order: { name: "text", language: "text" },
      columns: ["id", "name", "language", "title", "body", "url", "created_at", "updated_at"],
    },
    {
      name: "notifications.topic_subscriber",
      order: { topic: "text", user_id: "uuid" },
      columns: ["topic", "user_id", "created_at"],
      personal: ["user_id"],
    },
    { name: "notifications.policy", order: { updated_at: "timestamptz" }, columns: ["settings", "updated_at"] },
  ],
  left: {
    "notifications.daily_count": "counts of three days, by which daily limits are kept",
    "notifications.digest": "which mails are being gathered: what is in them stands in the deliveries",
    "notifications.inbox_head": "how many entries an inbox has had, by which it is followed",
  },
});

const deliveries: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from notifications.delivery where tenant_id = $1 and id in (
       select id from notifications.delivery where tenant_id = $1 order by id limit $2)`,
    [tenantId, limit],
  );
const recipients: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from notifications.recipient where tenant_id = $1 and (user_id, notification_id) in (
       select user_id, notification_id from notifications.recipient where tenant_id = $1 order by user_id, notification_id limit $2)`,
    [tenantId, limit],
  );
const sent: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from notifications.notification where tenant_id = $1 and id in (
       select id from notifications.notification where tenant_id = $1 order by id limit $2)`,
    [tenantId, limit],
  );
const counts: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from notifications.daily_count where tenant_id = $1 and (user_id, category, day) in (
       select user_id, category, day from notifications.daily_count where tenant_id = $1 order by user_id, category, day limit $2)`,
    [tenantId, limit],
  );
const preferences: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from notifications.preference where tenant_id = $1 and user_id in (
       select user_id from notifications.preference where tenant_id = $1 order by user_id limit $2)`,
    [tenantId, limit],
  );
const browsers: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from notifications.push_subscription where tenant_id = $1 and id in (
       select id from notifications.push_subscription where tenant_id = $1 order by id limit $2)`,
    [tenantId, limit],
  );
const templates: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from notifications.template where tenant_id = $1 and id in (
       select id from notifications.template where tenant_id = $1 order by id limit $2)`,
    [tenantId, limit],
  );
const subscribers: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from notifications.topic_subscriber where tenant_id = $1 and (topic, user_id) in (
       select topic, user_id from notifications.topic_subscriber where tenant_id = $1 order by topic, user_id limit $2)`,
    [tenantId, limit],
  );
const digests: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from notifications.digest where tenant_id = $1 and id in (
       select id from notifications.digest where tenant_id = $1 order by id limit $2)`,
    [tenantId, limit],
  );
const heads: DeleteSome = (tx, tenantId, limit) =>
  tx.execute(
    `delete from notifications.inbox_head where tenant_id = $1 and user_id in (
       select user_id from notifications.inbox_head where tenant_id = $1 order by user_id limit $2)`,
    [tenantId, limit],
  );
const policies: DeleteSome = (tx, tenantId) =>
  tx.execute(`delete from notifications.policy where tenant_id = $1`, [tenantId]);

/** What there is of a tenant; at most `limit` rows each. */
export const tenantDelete: readonly DeleteSome[] = [
  deliveries,
  recipients,
  sent,
  counts,
  preferences,
  browsers,
  templates,
  subscribers,
  digests,
  heads,
  policies,
];

/** Of one person in an organisation. */
interface Own {
  tenantId: string;
  userId: string;
}

const ownDeliveries: DeleteSome<Own> = (tx, { tenantId, userId }, limit) =>
  tx.execute(
    `delete from notifications.delivery where tenant_id = $1 and id in (
       select id from notifications.delivery where tenant_id = $1 and user_id = $2 order by id limit $3)`,
    [tenantId, userId, limit],
  );
const ownInbox: DeleteSome<Own> = (tx, { tenantId, userId }, limit) =>
  tx.execute(
    `delete from notifications.recipient where tenant_id = $1 and user_id = $2 and notification_id in (
       select notification_id from notifications.recipient where tenant_id = $1 and user_id = $2 order by notification_id limit $3)`,
    [tenantId, userId, limit],
  );
const ownTopics: DeleteSome<Own> = (tx, { tenantId, userId }, limit) =>
  tx.execute(
    `delete from notifications.topic_subscriber where tenant_id = $1 and user_id = $2 and topic in (
       select topic from notifications.topic_subscriber where tenant_id = $1 and user_id = $2 order by topic limit $3)`,
    [tenantId, userId, limit],
  );
const ownDigests: DeleteSome<Own> = (tx, { tenantId, userId }) =>
  tx.execute(`delete from notifications.digest where tenant_id = $1 and user_id = $2`, [tenantId, userId]);
const ownBrowsers: DeleteSome<Own> = (tx, { tenantId, userId }) =>
  tx.execute(`delete from notifications.push_subscription where tenant_id = $1 and user_id = $2`, [tenantId, userId]);
const ownPreferences: DeleteSome<Own> = (tx, { tenantId, userId }) =>
  tx.execute(`delete from notifications.preference where tenant_id = $1 and user_id = $2`, [tenantId, userId]);

/** What there is of one member, who is one no more; at most `limit` rows each. */
export const memberDelete: readonly DeleteSome<Own>[] = [
  ownDeliveries,
  ownInbox,
  ownDigests,
  ownBrowsers,
  ownTopics,
  ownPreferences,
];

// Sending a notification: what it says and whom it is for are written down with the job that decides about each of them.
import { newId } from "../../db/ids";
import { withTenant } from "../../db/tenant";
import { enqueue } from "../../queues/enqueue";
import { actorOf, type Principal } from "../../security/principal";
import { contactsOf } from "./contacts";
import type { Content } from "./content";
import { errors } from "./errors";
import { fanOutJob } from "./job-definitions";
import { notificationFindByKey, notificationInsert, recipientInsert } from "./store/notifications";

export interface Sending {
  to: readonly string[];
  category: string;
  content: Content;
  dedupeKey?: string | undefined;
}

/**
 * Resolves with the notification's id; the same sender's same key is the same notification, whatever it says now.
 * @throws APIError recipient_not_found
 */
export async function sendNotification(principal: Principal, sending: Sending): Promise<string> {
  const { category, content, dedupeKey } = sending;
  const to = [...new Set(sending.to)];
  const members = await contactsOf(principal, to);
  const strangers = sending.to.flatMap((id, at) => (members.has(id) ? [] : [[`to.${at}`, "is no member"]]));
  if (strangers.length > 0)
    throw errors.recipient_not_found({ fields: Object.fromEntries(strangers) as Record<string, string> });
  const { tenantId } = principal;
  const sender = actorOf(principal);
  return withTenant(principal, async (tx) => {
    const id = newId();
    const added = { id, category, content, sender, dedupeKey, recipients: to.length };
    if (!(await notificationInsert(tx, tenantId, added)))
      return (await notificationFindByKey(tx, tenantId, { sender, dedupeKey: dedupeKey ?? "" })) ?? id;
    await recipientInsert(tx, tenantId, id, to);
    await enqueue(tx, fanOutJob, { notificationId: id });
    return id;
  });
}

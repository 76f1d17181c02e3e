// Sending a notification: what it says and whom it is for are written down with the job that decides about each of them.
import { newId } from "../../db/ids";
import { withTenant } from "../../db/tenant";
import { enqueue } from "../../queues/enqueue";
import { actorOf, type Principal } from "../../security/principal";
import { requireAllowance } from "./allowance";
import { contactsOf } from "./contacts";
import type { Content, Said } from "./content";
import { errors } from "./errors";
import { fanOutJob } from "./job-definitions";
import { policyFind } from "./store/settings";
import { templateFind } from "./store/templates";
import { recipientInsertOfTopics } from "./store/topics";
import { renderTemplate } from "./templates";
import { notificationFindByKey, notificationInsert, recipientInsert } from "./store/notifications";

export interface Sending {
  /** Ids of members, and "topic:NAME". */
  to: readonly string[];
  category: string;
  content?: Said | undefined;
  /** Instead of a content. */
  template?: string | undefined;
  data?: Readonly<Record<string, unknown>> | undefined;
  dedupeKey?: string | undefined;
}

/**
 * Resolves with the notification's id; the same sender's same key is the same notification, whatever it says now.
 * @throws APIError recipient_not_found, category_reserved, rate_limited, template_not_found, template_not_rendered
 */
export async function sendNotification(principal: Principal, sending: Sending): Promise<string> {
  const { category, dedupeKey } = sending;
  const to = [...new Set(sending.to.filter((one) => !one.startsWith(TOPIC)))];
  const topics = sending.to.filter((one) => one.startsWith(TOPIC)).map((one) => one.slice(TOPIC.length));
  const members = to.length === 0 ? new Map<string, unknown>() : await contactsOf(principal, to);
  const strangers = sending.to.flatMap((id, at) =>
    members.has(id) || id.startsWith(TOPIC) ? [] : [[`to.${at}`, "is no member"]],
  );
  if (strangers.length > 0)
    throw errors.recipient_not_found({ fields: Object.fromEntries(strangers) as Record<string, string> });
  await requireAllowance(principal, { category, to: [...new Set(sending.to)] });
  const content = await contentOf(principal, sending);
  const { tenantId } = principal;
  const sender = actorOf(principal);
  return withTenant(principal, async (tx) => {
    const id = newId();
    const added = { id, category, content, sender, dedupeKey, recipients: to.length };
    if (!(await notificationInsert(tx, tenantId, added)))
      return (await notificationFindByKey(tx, tenantId, { sender, dedupeKey: dedupeKey ?? "" })) ?? id;
    await recipientInsert(tx, tenantId, id, to);
    if (topics.length > 0) await recipientInsertOfTopics(tx, tenantId, id, topics);
    await enqueue(tx, fanOutJob, { notificationId: id });
    return id;
  });
}

export const TOPIC = "topic:";
export const LANGUAGES_MAX = 20;

async function contentOf(principal: Principal, { content, template = "", data = {} }: Sending): Promise<Content> {
  if (content !== undefined) return content;
  const sources = await templateFind(principal, template, LANGUAGES_MAX);
  if (sources.length === 0) throw errors.template_not_found();
  return renderTemplate(sources, data, (await policyFind(principal))?.language ?? "en");
}

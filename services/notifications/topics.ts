// Who is subscribed to a topic.
import { withTenant } from "../../db/tenant";
import type { Principal } from "../../security/principal";
import { contactsOf } from "./contacts";
import { errors } from "./errors";
import { SUBSCRIBERS_MAX, subscriberAdd, subscriberRemove } from "./store/topics";

/** @throws APIError recipient_not_found, topic_full */
export async function changeSubscribers(
  principal: Principal,
  { topic, add, remove }: { topic: string; add: readonly string[]; remove: readonly string[] },
): Promise<void> {
  const members = await contactsOf(principal, add);
  const strangers = add.flatMap((id, at) => (members.has(id) ? [] : [[`add.${at}`, "is no member"]]));
  if (strangers.length > 0)
    throw errors.recipient_not_found({ fields: Object.fromEntries(strangers) as Record<string, string> });
  const { tenantId } = principal;
  await withTenant(principal, async (tx) => {
    await subscriberRemove(tx, tenantId, topic, remove);
    if (add.length > 0 && (await subscriberAdd(tx, tenantId, topic, add)) > SUBSCRIBERS_MAX) throw errors.topic_full();
  });
}

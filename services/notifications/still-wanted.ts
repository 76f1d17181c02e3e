// What is about to be sent may have waited, for a server, for its turn or for somebody who redrives its dead letter: whether it is
// still wanted, and its destination still the person's, is asked again.
import type { TenantScope } from "../../db/tenant";
import { contactsOf, type Contact } from "./contacts";
import { wanted, type Disturbing } from "./decision";
import { destinationsOf } from "./destinations";
import { categorySettings, NO_POLICY, NO_PREFERENCES } from "./settings";
import { deliveryFind, deliveryReopen, type DeliveryRow } from "./store/deliveries";
import { subscriptionList } from "./store/push";
import { SUBSCRIPTIONS_MAX } from "./limits";

/** The delivery of a job; undefined when there is nothing to do for it. */
export async function deliveryToSend<C extends Disturbing>(
  scope: TenantScope,
  id: string,
  channel: C,
): Promise<(DeliveryRow & { channel: C }) | undefined> {
  const found = await deliveryFind(scope, id);
  if (found?.channel !== channel) return undefined;
  const delivery = { ...found, channel };
  if (delivery.state === "failed") return (await deliveryReopen(scope, id)) ? delivery : undefined;
  return delivery.state === "queued" ? delivery : undefined;
}

/** Whom it goes to, or why it is withheld after all. */
export async function askAgain(
  scope: TenantScope,
  delivery: DeliveryRow & { channel: Disturbing },
): Promise<{ contact: Contact } | { refusal: string }> {
  const { userId, category, channel, destination } = delivery;
  const contact = (await contactsOf(scope, [userId])).get(userId);
  if (contact === undefined) return { refusal: "no_member" };
  const browsers = channel === "push" ? await subscriptionList(scope, userId, SUBSCRIPTIONS_MAX) : [];
  const preferences = delivery.preferences ?? NO_PREFERENCES;
  const settings = categorySettings(delivery.policy ?? NO_POLICY, preferences, category);
  const destinations = destinationsOf(
    contact,
    browsers.map(({ id }) => id),
  );
  const decided = wanted({ preferences, destinations }, settings, channel);
  if (decided.outcome === "withheld") return { refusal: decided.reason };
  return decided.outcome === "deliver" && decided.to.includes(destination)
    ? { contact }
    : { refusal: "no_destination" };
}

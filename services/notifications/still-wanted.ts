// What is about to be sent may have waited, for a server, for its turn or for somebody who redrives its dead letter: whether it is
// still wanted, and its destination still the person's, is asked again.
import type { TenantScope } from "../../db/tenant";
import { contactsOf } from "./contacts";
import { wanted } from "./decision";
import { destinationsOf } from "./destinations";
import { categorySettings, NO_POLICY, NO_PREFERENCES } from "./settings";
import { deliveryFind, deliveryReopen, type DeliveryRow } from "./store/deliveries";
import { subscriptionList } from "./store/push";
import { SUBSCRIPTIONS_MAX } from "./limits";

/** The delivery of a job; undefined when there is nothing to do for it. */
export async function deliveryToSend(
  scope: TenantScope,
  id: string,
  channel: DeliveryRow["channel"],
): Promise<DeliveryRow | undefined> {
  const delivery = await deliveryFind(scope, id);
  if (delivery?.channel !== channel) return undefined;
  if (delivery.state === "failed") return (await deliveryReopen(scope, id)) ? delivery : undefined;
  return delivery.state === "queued" ? delivery : undefined;
}

/** Why it is withheld after all; undefined for what goes. */
export async function refusalToSend(scope: TenantScope, delivery: DeliveryRow): Promise<string | undefined> {
  const { userId, category, channel, destination } = delivery;
  if (channel === "in_app") return undefined;
  const contact = (await contactsOf(scope, [userId])).get(userId);
  if (contact === undefined) return "no_member";
  const browsers = channel === "push" ? await subscriptionList(scope, userId, SUBSCRIPTIONS_MAX) : [];
  const preferences = delivery.preferences ?? NO_PREFERENCES;
  const settings = categorySettings(delivery.policy ?? NO_POLICY, preferences, category);
  const destinations = destinationsOf(
    contact,
    browsers.map(({ id }) => id),
  );
  const decided = wanted({ preferences, destinations }, settings, channel);
  if (decided.outcome === "withheld") return decided.reason;
  return decided.outcome === "deliver" && decided.to.includes(destination) ? undefined : "no_destination";
}

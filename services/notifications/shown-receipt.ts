// A receipt as who asks sees it. Where people are reached, what they prefer and when they want quiet is for who manages
// notifications: to other senders what is held is queued, and what is withheld says no reason.
import type { DeliveryState, Receipt, ReceiptCount } from "./store/deliveries";

const stateFor = (state: DeliveryState, isManager: boolean): DeliveryState =>
  state === "held" && !isManager ? "queued" : state;

export function shownReceipt(row: Receipt, isManager: boolean) {
  const { id, userId, channel, state, destination, reason, heldUntil, createdAt, updatedAt } = row;
  const isPersonal = state === "held" || state === "withheld";
  return {
    ...{ id, userId, channel, state: stateFor(state, isManager) },
    ...(destination === "" || !isManager ? {} : { destination }),
    ...(reason === null || (isPersonal && !isManager) ? {} : { reason }),
    ...(heldUntil === null || !isManager ? {} : { heldUntil: heldUntil.toISOString() }),
    ...{ createdAt: createdAt.toISOString(), updatedAt: updatedAt.toISOString() },
  };
}

/** What is one to who asks is counted as one. */
export function shownCounts(counts: readonly ReceiptCount[], isManager: boolean): ReceiptCount[] {
  const shown = new Map<string, ReceiptCount>();
  for (const { channel, state: known, count } of counts) {
    const state = stateFor(known, isManager);
    const key = `${channel} ${state}`;
    shown.set(key, { channel, state, count: count + (shown.get(key)?.count ?? 0) });
  }
  return [...shown.values()];
}

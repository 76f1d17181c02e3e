import { defineEvent } from "../event";

export const paid = defineEvent({
  type: "billing.invoice.paid",
  version: 1,
  payload: {},
  deprecated: { since: "2020-01-01", until: "2020-03-01", successor: "billing.invoice.paid@2" },
});

export const sent = defineEvent({
  type: "billing.invoice.sent",
  version: 1,
  payload: {},
  deprecated: { since: "2020-01-01", until: "9999-01-01" },
});

// Its own leaf may name it: an upcaster does.
export const paidAgain = defineEvent({ type: "billing.invoice.paid", version: 2, payload: {}, upcast: { from: paid } });

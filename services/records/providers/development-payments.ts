// Payments for development: no money moves. One token is charged, every other one declined. It remembers in its process what it was asked
// for; a payment's id follows from its key, so that another process answers the same.
import { idFromParts } from "../../../db/ids";
import { RecentMap } from "../../../security/recent-map";
import { PaymentDeclinedError, type PaymentProvider } from "./payments";

export const APPROVED_TOKEN = "development-approved";
const REMEMBERED_MAX = 10_000;

export function createDevelopmentPayments(): PaymentProvider {
  const refunded = new RecentMap<true>(REMEMBERED_MAX);
  return {
    async charge({ key, token }) {
      if (refunded.get(key) === true) throw new PaymentDeclinedError("the charge was given back before it came");
      if (token !== APPROVED_TOKEN) throw new PaymentDeclinedError("not the token that is charged in development");
      return { paymentId: `development-${idFromParts("payment", key)}` };
    },
    async refund({ chargeKey }) {
      refunded.set(chargeKey, true);
    },
  };
}

// The port to whoever takes payments. What a provider promises stands here, and __tests__/payment-contract.ts holds each one to it. Card data
// never comes here: `token` is what the provider's own form gave the client for it.

export interface Charge {
  /** The same at every attempt, and no other charge's: whatever comes twice is charged once. */
  key: string;
  orderId: string;
  token: string;
  /** In the currency's smallest unit, above nought. */
  amountMinor: number;
  /** ISO 4217. */
  currency: string;
}

export interface Refund {
  key: string;
  /** The key of the charge that is given back. */
  chargeKey: string;
}

export interface PaymentProvider {
  /**
   * Takes the amount, once for each key. @throws PaymentDeclinedError when it never will; whatever else is thrown is tried again, and in
   * the end refunded, because it may have charged.
   */
  charge(charge: Charge, signal: AbortSignal): Promise<{ paymentId: string }>;
  /**
   * Gives back all that was taken for `chargeKey`, once. Right for a charge that never arrived as well; one that arrives later is declined.
   */
  refund(refund: Refund, signal: AbortSignal): Promise<void>;
}

export class PaymentDeclinedError extends Error {
  override readonly name = "PaymentDeclinedError";
}

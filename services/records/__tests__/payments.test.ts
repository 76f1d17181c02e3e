// Payments for development keep the port's contract; in production nobody pays with them.
import { describe, expect, test } from "vitest";
import { paymentProvider, usePayments } from "../providers/chosen";
import { APPROVED_TOKEN, createDevelopmentPayments } from "../providers/development-payments";
import { holdToPaymentContract } from "./payment-contract";

describe("the provider for development", () => {
  holdToPaymentContract({
    provider: createDevelopmentPayments(),
    approved: APPROVED_TOKEN,
    declined: "development-declined",
  });
});

test("in production there is a provider if somebody brought one", () => {
  const own = createDevelopmentPayments();
  expect(paymentProvider()).toBeDefined();
  expect(paymentProvider({ env: "production" })).toBeUndefined();
  usePayments(own);
  expect(paymentProvider({ env: "production" })).toBe(own);
  usePayments(undefined);
});

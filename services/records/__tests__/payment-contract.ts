// What every payment provider keeps to (providers/payments.ts). A provider's test gives it one, with a token that is charged and one that is
// declined.
import { expect, test } from "vitest";
import { newId } from "../../../db/ids";
import { PaymentDeclinedError, type Charge, type PaymentProvider } from "../providers/payments";

export interface Paying {
  provider: PaymentProvider;
  approved: string;
  declined: string;
}

const { signal } = new AbortController();

export function holdToPaymentContract({ provider, approved, declined }: Paying): void {
  const charge = (token: string): Charge => ({
    ...{ key: newId(), orderId: newId(), token, amountMinor: 450, currency: "EUR" },
  });

  test("charges once for a key, however often it is asked", async () => {
    const asked = charge(approved);
    const first = await provider.charge(asked, signal);
    expect(await provider.charge(asked, signal)).toEqual(first);
    expect(await provider.charge(charge(approved), signal)).not.toEqual(first);
  });

  test("says of a token that it is declined", async () => {
    await expect(provider.charge(charge(declined), signal)).rejects.toThrow(PaymentDeclinedError);
  });

  test("gives back what was charged, once, and what never was", async () => {
    const asked = charge(approved);
    await provider.charge(asked, signal);
    for (const chargeKey of [asked.key, asked.key, newId()])
      await provider.refund({ key: `${chargeKey}:undo`, chargeKey }, signal);
  });

  test("declines a charge that arrives behind its refund", async () => {
    const late = charge(approved);
    await provider.refund({ key: `${late.key}:undo`, chargeKey: late.key }, signal);
    await expect(provider.charge(late, signal)).rejects.toThrow(PaymentDeclinedError);
  });
}

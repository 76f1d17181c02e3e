// Which payment provider this process has: the one that the installation brings, outside of production else that for development.
import { cfg, type Environment } from "../../../config";
import { createDevelopmentPayments } from "./development-payments";
import type { PaymentProvider } from "./payments";

let provider: PaymentProvider | undefined;
const forDevelopment = createDevelopmentPayments();

/** Called where the installation's provider is made, in a process's start. Undefined: as before any was. */
export function usePayments(chosen: PaymentProvider | undefined): void {
  provider = chosen;
}

/** Undefined in production where nobody brought one: money that nobody takes must not count as paid. */
export const paymentProvider = ({ env }: { env: Environment } = cfg): PaymentProvider | undefined =>
  provider ?? (env === "production" ? undefined : forDevelopment);

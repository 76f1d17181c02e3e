// What the sandbox of users' code obeys of the environment.
import { integer, oneOf } from "./variable";

export const sandboxVariables = {
  SANDBOX_PROCESSES: integer(1, 64),
  SANDBOX_WITHOUT_KERNEL_LIMITS: oneOf(["warn", "refuse"]),
};

export interface SandboxSettings {
  processes: number;
  /** Whether code runs where the kernel's limits cannot be set. */
  withoutKernelLimits: "warn" | "refuse";
}

interface Values {
  NODE_ENV?: string | undefined;
  SANDBOX_PROCESSES?: number | undefined;
  SANDBOX_WITHOUT_KERNEL_LIMITS?: "warn" | "refuse" | undefined;
}

export const sandboxSettings = (v: Values): SandboxSettings => ({
  processes: v.SANDBOX_PROCESSES ?? 2,
  withoutKernelLimits: v.SANDBOX_WITHOUT_KERNEL_LIMITS ?? (v.NODE_ENV === "production" ? "refuse" : "warn"),
});

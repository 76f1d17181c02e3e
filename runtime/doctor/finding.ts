// What the doctor says: one thing that is wrong, what follows from it, and what to do. Every code stands in docs/doctor.md.
import type { DatabaseTarget } from "../backup";
import type { InfraConfig } from "../infra";
import type { AppModel } from "../model";

/** `error`: it will fail, lose something or let somebody in. `warning`: it may. */
export type Severity = "error" | "warning";

export interface Finding {
  code: FindingCode;
  severity: Severity;
  what: string;
  remedy: string;
}

export const findingCodes = [
  "node_too_old",
  "node_unsupported",
  "state_not_writable",
  "disk_almost_full",
  "port_taken",
  "secret_missing",
  "secret_short",
  "secret_file_readable",
  "cors_any_origin_with_credentials",
  "base_url_insecure",
  "metrics_public",
  "database_unreachable",
  "database_connection_unencrypted",
  "login_bypasses_row_security",
  "row_security_off",
  "row_security_policy_open",
  "migration_pending",
  "migration_mismatch",
  "migration_newer",
  "vector_extension_missing",
  "vector_extension_old",
  "clock_skew",
  "index_invalid",
  "connections_exhausted",
  "idle_transactions_unlimited",
  "transaction_open_long",
  "statement_log_shows_values",
  "database_not_durable",
  "collation_changed",
  "redis_unreachable",
  "redis_evicts",
  "redis_not_durable",
  "redis_open",
  "dead_letters",
  "check_failed",
] as const;
export type FindingCode = (typeof findingCodes)[number];

export interface Patient {
  root: string;
  stateDir: string;
  model: AppModel;
  env: NodeJS.ProcessEnv;
  isProduction: boolean;
  /** What ENCORE_INFRA_CONFIG_PATH says. */
  config?: InfraConfig;
  databases: readonly DatabaseTarget[];
  redisUrl?: string;
  listen: { host: string; port: number };
  /** Whether it is this installation that answers at the port. */
  isRunning: boolean;
  nodeVersion: string;
  now(): Date;
}

export type Check = (patient: Patient) => Promise<Finding[]> | Finding[];

export const error = (code: FindingCode, what: string, remedy: string): Finding => ({
  code,
  severity: "error",
  what,
  remedy,
});
export const warning = (code: FindingCode, what: string, remedy: string): Finding => ({
  code,
  severity: "warning",
  what,
  remedy,
});

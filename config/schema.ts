// Every environment variable the app obeys: its schema, its default and what to do when it is wrong.
// Pure: takes an environment, gives a frozen Config or one ConfigError that lists every problem at once.
// (DATABASE_URL and PORT belong to whatever hosts the app; the app gets its database from Encore.)
import { z } from "zod";
import { AI_REMEDY, aiProviders, hasInsecureProvider, type AiProvider } from "./ai";
import { assetLimits, assetVariables, type AssetLimits } from "./assets";
import { KAFKA_REMEDY, kafkaUrl, sendsPasswordInClear, type KafkaSettings } from "./kafka";
import { hasInsecureIssuer, OIDC_REMEDY, oidcProviders, type OidcProvider } from "./oidc";
import { queueSet, queueSetVariable, type QueueSet } from "./queue-set";
import { sandboxSettings, sandboxVariables, type SandboxSettings } from "./sandbox";
import {
  boolean,
  decimal,
  integer,
  isSender,
  networks,
  oneOf,
  pairs,
  text,
  url,
  variable,
  type Variable,
} from "./variable";

export type Environment = "development" | "production" | "test";

const privateNetworks = [
  "127.0.0.0/8",
  "::1/128",
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "169.254.0.0/16",
  "fc00::/7",
  "fe80::/10",
];

/** All variables by name. The README's table is held to this object by a test. */
export const variables = {
  NODE_ENV: oneOf(["development", "production", "test"]),
  LOG_LEVEL: oneOf(["trace", "debug", "info", "warn", "error", "fatal", "silent"]),
  LOG_PRETTY: boolean,
  REDIS_URL: url(["redis", "rediss"]),
  DB_POOL_MAX: integer(1, 500),
  DB_STATEMENT_TIMEOUT_MS: integer(10, 600_000),
  DB_LOCK_TIMEOUT_MS: integer(10, 600_000),
  DB_IDLE_TIMEOUT_MS: integer(0, 3_600_000),
  DB_IDLE_IN_TRANSACTION_TIMEOUT_MS: integer(100, 3_600_000),
  DB_OWNER_LOGIN: oneOf(["warn", "refuse"]),
  OTEL_EXPORTER_OTLP_ENDPOINT: url(["http", "https"]),
  OTEL_EXPORTER_OTLP_HEADERS: pairs("a comma-separated list of name=value"),
  OTEL_TRACES_SAMPLER_ARG: decimal(0, 1),
  OTEL_METRIC_EXPORT_INTERVAL: integer(100, 3_600_000),
  OTEL_SERVICE_NAME: text("letters, digits, dots, dashes and underscores", /^[\w.-]{1,100}$/),
  LIMIT_SCALE: decimal(0.001, 1_000_000),
  TRUSTED_PROXIES: networks,
  METRICS_ALLOW: networks,
  METRICS_TOKEN: text(
    "at least 16 characters without spaces, for example from openssl rand -hex 32",
    /^[\x21-\x7e]{16,200}$/,
  ),
  AUTH_ACCESS_TOKEN_SECONDS: integer(30, 86_400),
  AUTH_SIGNING_ALGORITHM: oneOf(["EdDSA", "RS256"]),
  AUTH_JWKS_MAX_AGE_SECONDS: integer(1, 86_400),
  AUTH_REFRESH_TOKEN_SECONDS: integer(60, 31_536_000),
  AUTH_SESSION_IDLE_SECONDS: integer(60, 31_536_000),
  AUTH_ISSUER: text("a name or URL of at most 200 characters without spaces", /^\S{1,200}$/),
  AUTH_AUDIENCE: text("a name or URL of at most 200 characters without spaces", /^\S{1,200}$/),
  OIDC_PROVIDERS: variable(oidcProviders, OIDC_REMEDY),
  PASSWORD_HASH_COST: oneOf(["owasp", "lowest"]),
  BREACHED_PASSWORDS_URL: url(["http", "https"]),
  BREACHED_PASSWORDS_WHEN_AWAY: oneOf(["accept", "refuse"]),
  AUDIT_KEEP_DAYS: integer(90, 36_500),
  APP_URL: url(["http", "https"]),
  MAIL_URL: url(["smtp", "smtps"]),
  MAIL_FROM: variable(
    z.string().max(320).refine(isSender, "is no sender"),
    "an address, or a name and an address: Product <mail@example.com>",
  ),
  EMBEDDINGS_PROVIDER: oneOf(["local", "openai"]),
  EMBEDDINGS_BASE_URL: url(["http", "https"]),
  EMBEDDINGS_MODEL: text("a model's name of at most 200 characters", /^\S{1,200}$/),
  EMBEDDINGS_IDLE_SECONDS: integer(1, 86_400),
  EMBEDDINGS_BATCH_SIZE: integer(1, 1024),
  AI_PROVIDERS: variable(aiProviders, AI_REMEDY),
  AI_ORGANISATION_DAY_MICRO_USD: integer(0, 1_000_000_000_000),
  ...assetVariables,
  ...sandboxVariables,
  EVENTS_RELAY_POLL_MS: integer(10, 600_000),
  EVENTS_RELAY_BATCH: integer(1, 10_000),
  EVENTS_MAX_ATTEMPTS: integer(1, 100),
  KAFKA_URL: variable(kafkaUrl, KAFKA_REMEDY),
  QUEUES_CONCURRENCY: integer(1, 256),
  QUEUES_JOB_TIMEOUT_MS: integer(100, 3_600_000),
  QUEUES_KEEP_COMPLETED: integer(0, 1_000_000),
  QUEUES_SET: queueSetVariable,
  IDEMPOTENCY_KEEP_HOURS: integer(1, 720),
  FLAGS: pairs("a comma-separated list of flag=value, for example docsPage=false"),
} as const satisfies Record<string, Variable<unknown>>;

export type VariableName = keyof typeof variables;
type Values = { [K in VariableName]?: z.output<(typeof variables)[K]["schema"]> };

/** One thing wrong with the environment. Never carries the value: it may be a credential. */
export interface ConfigProblem {
  variable: VariableName;
  problem: string;
  remedy: string;
}

/** Thrown at boot; `problems` lists everything that is wrong, the message is ready to print. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  constructor(readonly problems: readonly ConfigProblem[]) {
    const lines = problems.map((p) => `  ${p.variable} ${p.problem}: ${p.remedy}`);
    super(`the configuration has ${problems.length} problem${problems.length === 1 ? "" : "s"}:\n${lines.join("\n")}`);
    // It ends a start: whoever set the variables has no use for a place in our code.
    this.stack = `${this.name}: ${this.message}`;
  }
}

export interface Config {
  env: Environment;
  log: { level: NonNullable<Values["LOG_LEVEL"]>; pretty: boolean };
  redisUrl?: string;
  db: {
    poolMax: number;
    statementTimeoutMs: number;
    lockTimeoutMs: number;
    idleTimeoutMs: number;
    idleInTransactionTimeoutMs: number;
    ownerLogin: "warn" | "refuse";
  };
  /** `endpoint` is the collector's base URL (traces go to `<endpoint>/v1/traces`); without it nothing is exported. */
  otel: {
    endpoint?: string;
    headers?: Record<string, string>;
    sampleRatio: number;
    serviceName: string;
    metricIntervalMs: number;
  };
  /** `scale` multiplies the points of every limit policy; `trustedProxies` and `metricsAllow` are networks. */
  limits: { scale: number; trustedProxies: string[] };
  metrics: { allow: string[]; token?: string };
  audit: { keepDays: number };
  /** Where people use the app: links in mails lead to its pages. */
  appUrl: string;
  /** `url` has the mail server's name and password. */
  mail: { url?: string; from?: string };
  auth: {
    accessTokenSeconds: number;
    signingAlgorithm: NonNullable<Values["AUTH_SIGNING_ALGORITHM"]>;
    jwksMaxAgeSeconds: number;
    refreshTokenSeconds: number;
    idleSeconds: number;
    issuer: string;
    audience: string;
    oidcProviders: OidcProvider[];
    /** `lowest` is for tests alone. */
    passwordHashCost: NonNullable<Values["PASSWORD_HASH_COST"]>;
    /** `url` answers ranges of hashes of leaked passwords (auth/breached-passwords.ts); without it none is asked. */
    breachedPasswords: { url?: string; whenAway: "accept" | "refuse" };
  };
  embeddings: {
    provider: "local" | "openai";
    baseUrl?: string;
    model?: string;
    idleSeconds: number;
    batchSize: number;
  };
  /** Without `providers` the known ones are those that a key is there for. `dayMicroUsd`: of one organisation, by the installation's keys. */
  ai: { providers?: AiProvider[]; dayMicroUsd: number };
  assets: AssetLimits;
  sandbox: SandboxSettings;
  /** With `kafka` every event goes there too. */
  events: { relayPollMs: number; relayBatch: number; maxAttempts: number; kafka?: KafkaSettings };
  queues: { concurrency: number; jobTimeoutMs: number; keepCompleted: number; set: QueueSet };
  idempotency: { keepHours: number };
  /** Local flag settings by flag name, checked by flags.ts. */
  flags: Record<string, string>;
}

type Deep<T> = T extends readonly (infer E)[]
  ? readonly Deep<E>[]
  : T extends object
    ? { readonly [K in keyof T]: Deep<T[K]> }
    : T;
export type FrozenConfig = Deep<Config>;

export type Env = Readonly<Record<string, string | undefined>>;

/**
 * Reads a whole environment. An empty variable counts as absent.
 * @throws ConfigError listing every problem.
 */
export function parseConfig(env: Env): FrozenConfig {
  const { values, problems } = readVariables(env);
  problems.push(...crossCheck(values, problems));
  if (problems.length > 0) throw new ConfigError(problems);
  return deepFreeze(assemble(values));
}

function readVariables(env: Env): { values: Values; problems: ConfigProblem[] } {
  const values: Record<string, unknown> = {};
  const problems: ConfigProblem[] = [];
  for (const name of Object.keys(variables) as VariableName[]) {
    const given = env[name]?.trim();
    if (given === undefined || given === "") continue;
    const entry: Variable<unknown> = variables[name];
    const parsed = entry.schema.safeParse(given);
    if (parsed.success) values[name] = parsed.data;
    else problems.push({ variable: name, problem: firstMessage(parsed.error), remedy: `set it to ${entry.remedy}` });
  }
  return { values, problems };
}

const firstMessage = (error: z.ZodError): string =>
  error.issues
    .map((issue) => issue.message)
    .slice(0, 1)
    .join();

/** Rules between variables. A variable that is already wrong by itself is not reported twice. */
function crossCheck(values: Values, known: readonly ConfigProblem[]): ConfigProblem[] {
  const isWrong = (name: VariableName): boolean => known.some((problem) => problem.variable === name);
  const problems: ConfigProblem[] = [];
  const requireWhen = (condition: boolean, name: VariableName, when: string): void => {
    if (condition && values[name] === undefined && !isWrong(name))
      problems.push({ variable: name, problem: `is required ${when}`, remedy: `set it to ${variables[name].remedy}` });
  };
  const isExternal = values.EMBEDDINGS_PROVIDER === "openai";
  requireWhen(isExternal, "EMBEDDINGS_BASE_URL", "when EMBEDDINGS_PROVIDER is openai");
  requireWhen(isExternal, "EMBEDDINGS_MODEL", "when EMBEDDINGS_PROVIDER is openai");
  const sendsMail = values.MAIL_URL !== undefined;
  requireWhen(sendsMail, "MAIL_FROM", "with MAIL_URL");
  const isProduction = values.NODE_ENV === "production";
  requireWhen(sendsMail && isProduction, "APP_URL", "with MAIL_URL in production: links in mails lead there");
  const { OIDC_PROVIDERS: providers = [] } = values;
  requireWhen(
    providers.length > 0 && isProduction,
    "APP_URL",
    "with OIDC_PROVIDERS in production: providers lead there",
  );
  if (isProduction) problems.push(...insecureProblems(values));
  problems.push(...hashCostProblem(values));
  const access = values.AUTH_ACCESS_TOKEN_SECONDS ?? defaults.accessTokenSeconds;
  const refresh = values.AUTH_REFRESH_TOKEN_SECONDS ?? defaults.refreshTokenSeconds;
  if (refresh <= access) {
    problems.push({
      variable: "AUTH_REFRESH_TOKEN_SECONDS",
      problem: "is not longer than AUTH_ACCESS_TOKEN_SECONDS",
      remedy: "set it to more seconds than an access token lives",
    });
  }
  return problems;
}

/** What production may not send in clear, nor believe that came so. */
function insecureProblems(values: Values): ConfigProblem[] {
  const https = { problem: "is not https", remedy: "set it to an https address" };
  const found: (ConfigProblem | false)[] = [
    hasInsecureIssuer(values.OIDC_PROVIDERS ?? []) && {
      ...{ variable: "OIDC_PROVIDERS", problem: "has an issuer without https", remedy: "set it to https" },
    },
    hasInsecureProvider(values.AI_PROVIDERS ?? []) && {
      ...{ variable: "AI_PROVIDERS", problem: "has a baseUrl without https", remedy: "set it to https" },
    },
    values.BREACHED_PASSWORDS_URL?.startsWith("https:") === false && { variable: "BREACHED_PASSWORDS_URL", ...https },
    sendsPasswordInClear(values.KAFKA_URL) && {
      variable: "KAFKA_URL",
      problem: "sends its password in clear",
      remedy: "set it to a kafkas:// address, or to sasl=scram-sha-512",
    },
  ];
  return found.filter((problem) => problem !== false);
}

/** Not production alone refuses it: whoever forgot to say what they run has real people's passwords as well. */
function hashCostProblem({ PASSWORD_HASH_COST: cost, NODE_ENV: env }: Values): ConfigProblem[] {
  if (cost !== "lowest" || env === "test") return [];
  const remedy = "set it to owasp, or leave it out";
  return [{ variable: "PASSWORD_HASH_COST", problem: "is what tests alone may have", remedy }];
}

const defaults = { accessTokenSeconds: 900, refreshTokenSeconds: 2_592_000, idleSeconds: 1_209_600 };

/** Development records every trace, production one in twenty (A22 in docs/requirements.md: 1 to 5 %). */
const sampleRatios: Record<Environment, number> = { development: 1, test: 1, production: 0.05 };

function assemble(v: Values): Config {
  const env = v.NODE_ENV ?? "development";
  return {
    env,
    ...optional("redisUrl", v.REDIS_URL),
    ...assembleOperations(v, env),
    ...assembleAccess(v, env),
    ...assembleWork(v),
    flags: v.FLAGS ?? {},
  };
}

function assembleOperations(v: Values, env: Environment): Pick<Config, "log" | "otel" | "metrics"> {
  return {
    log: { level: v.LOG_LEVEL ?? (env === "test" ? "fatal" : "info"), pretty: v.LOG_PRETTY ?? false },
    otel: {
      ...optional("endpoint", v.OTEL_EXPORTER_OTLP_ENDPOINT),
      ...optional("headers", v.OTEL_EXPORTER_OTLP_HEADERS),
      sampleRatio: v.OTEL_TRACES_SAMPLER_ARG ?? sampleRatios[env],
      serviceName: v.OTEL_SERVICE_NAME ?? "groundwork",
      metricIntervalMs: v.OTEL_METRIC_EXPORT_INTERVAL ?? 30_000,
    },
    metrics: { allow: v.METRICS_ALLOW ?? privateNetworks, ...optional("token", v.METRICS_TOKEN) },
  };
}

function assembleAccess(
  v: Values,
  env: Environment,
): Pick<Config, "idempotency" | "limits" | "auth" | "audit" | "mail" | "appUrl"> {
  return {
    // Tests share one address and one process: their default is out of the way, abuse tests set their own.
    limits: { scale: v.LIMIT_SCALE ?? (env === "test" ? 1000 : 1), trustedProxies: v.TRUSTED_PROXIES ?? [] },
    audit: { keepDays: v.AUDIT_KEEP_DAYS ?? 400 },
    idempotency: { keepHours: v.IDEMPOTENCY_KEEP_HOURS ?? 24 },
    appUrl: v.APP_URL ?? "http://localhost:4000",
    mail: { ...optional("url", v.MAIL_URL), ...optional("from", v.MAIL_FROM) },
    auth: {
      accessTokenSeconds: v.AUTH_ACCESS_TOKEN_SECONDS ?? defaults.accessTokenSeconds,
      signingAlgorithm: v.AUTH_SIGNING_ALGORITHM ?? "EdDSA",
      jwksMaxAgeSeconds: v.AUTH_JWKS_MAX_AGE_SECONDS ?? 60,
      refreshTokenSeconds: v.AUTH_REFRESH_TOKEN_SECONDS ?? defaults.refreshTokenSeconds,
      idleSeconds: v.AUTH_SESSION_IDLE_SECONDS ?? defaults.idleSeconds,
      issuer: v.AUTH_ISSUER ?? "groundwork",
      audience: v.AUTH_AUDIENCE ?? "groundwork-api",
      oidcProviders: v.OIDC_PROVIDERS ?? [],
      ...assemblePasswords(v),
    },
  };
}

function assembleDatabase(v: Values): Config["db"] {
  return {
    poolMax: v.DB_POOL_MAX ?? 20,
    statementTimeoutMs: v.DB_STATEMENT_TIMEOUT_MS ?? 5000,
    lockTimeoutMs: v.DB_LOCK_TIMEOUT_MS ?? 4000,
    idleTimeoutMs: v.DB_IDLE_TIMEOUT_MS ?? 30_000,
    idleInTransactionTimeoutMs: v.DB_IDLE_IN_TRANSACTION_TIMEOUT_MS ?? 30_000,
    ownerLogin: v.DB_OWNER_LOGIN ?? "warn",
  };
}

const assemblePasswords = (v: Values): Pick<Config["auth"], "passwordHashCost" | "breachedPasswords"> => ({
  passwordHashCost: v.PASSWORD_HASH_COST ?? "owasp",
  breachedPasswords: {
    ...optional("url", v.BREACHED_PASSWORDS_URL),
    whenAway: v.BREACHED_PASSWORDS_WHEN_AWAY ?? "accept",
  },
});

type Work = "ai" | "assets" | "db" | "embeddings" | "events" | "queues" | "sandbox";
function assembleWork(v: Values): Pick<Config, Work> {
  return {
    assets: assetLimits(v),
    sandbox: sandboxSettings(v),
    db: assembleDatabase(v),
    embeddings: {
      provider: v.EMBEDDINGS_PROVIDER ?? "local",
      ...optional("baseUrl", v.EMBEDDINGS_BASE_URL),
      ...optional("model", v.EMBEDDINGS_MODEL),
      idleSeconds: v.EMBEDDINGS_IDLE_SECONDS ?? 30,
      batchSize: v.EMBEDDINGS_BATCH_SIZE ?? 64,
    },
    ai: { ...optional("providers", v.AI_PROVIDERS), dayMicroUsd: v.AI_ORGANISATION_DAY_MICRO_USD ?? 5_000_000 },
    events: {
      relayPollMs: v.EVENTS_RELAY_POLL_MS ?? 1000,
      relayBatch: v.EVENTS_RELAY_BATCH ?? 100,
      maxAttempts: v.EVENTS_MAX_ATTEMPTS ?? 8,
      ...optional("kafka", v.KAFKA_URL),
    },
    queues: {
      concurrency: v.QUEUES_CONCURRENCY ?? 4,
      jobTimeoutMs: v.QUEUES_JOB_TIMEOUT_MS ?? 60_000,
      keepCompleted: v.QUEUES_KEEP_COMPLETED ?? 1000,
      set: v.QUEUES_SET ?? queueSet,
    },
  };
}

/** `{[key]: value}`, or nothing when the value is absent. */
function optional<K extends string, T>(key: K, value: T | undefined): { [P in K]?: T } {
  return (value === undefined ? {} : { [key]: value }) as { [P in K]?: T };
}

function deepFreeze<T>(value: T): Deep<T> {
  if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) deepFreeze(inner);
    Object.freeze(value);
  }
  return value as Deep<T>;
}

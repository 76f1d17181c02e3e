import { describe, expect, test } from "vitest";
import { queueSet } from "../queue-set";
import { ConfigError, parseConfig, variables, type Env, type VariableName } from "../schema";
import { serviceConfig, serviceSamples, serviceValues } from "./service-settings";

function problemsOf(env: Env): ConfigError["problems"] {
  try {
    parseConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}
/** For each variable: texts it takes and texts it refuses. Exhaustive, so a new variable needs its samples. */
const samples: Record<VariableName, { good: string[]; bad: string[] }> = {
  NODE_ENV: { good: ["development", "production", "test"], bad: ["prod", "Production"] },
  LOG_LEVEL: { good: ["trace", "fatal", "silent"], bad: ["verbose", "5"] },
  LOG_PRETTY: { good: ["true", "false", "1", "0"], bad: ["yes", "TRUE"] },
  REDIS_URL: {
    good: ["redis://localhost:6379", "rediss://:pw@host/1"],
    bad: ["localhost:6379", "http://redis", "nonsense"],
  },
  DB_POOL_MAX: { good: ["1", "500"], bad: ["0", "501", "-1", "1.5", "many", "1e3"] },
  DB_STATEMENT_TIMEOUT_MS: { good: ["10", "600000"], bad: ["9", "5s"] },
  DB_LOCK_TIMEOUT_MS: { good: ["10", "4000"], bad: ["0", "never"] },
  DB_IDLE_TIMEOUT_MS: { good: ["0"], bad: ["-1"] },
  DB_OWNER_LOGIN: { good: ["warn", "refuse"], bad: ["admit", "true"] },
  DB_IDLE_IN_TRANSACTION_TIMEOUT_MS: { good: ["100", "60000"], bad: ["0", "99"] },
  OTEL_EXPORTER_OTLP_ENDPOINT: {
    good: ["http://collector:4318", "https://otlp.example.com/base"],
    bad: ["collector:4318", "grpc://collector"],
  },
  OTEL_EXPORTER_OTLP_HEADERS: {
    good: ["a=b", "x-key=se%20cret , y=2", "a=", "a=%zz", "a=b=c"],
    bad: ["nothing", "=x", "a b=c"],
  },
  OTEL_TRACES_SAMPLER_ARG: { good: ["0", "1", "0.05"], bad: ["1.1", "-0.5", "5%", ".5"] },
  OTEL_METRIC_EXPORT_INTERVAL: { good: ["100"], bad: ["99"] },
  OTEL_SERVICE_NAME: { good: ["groundwork-api_2.eu"], bad: ["two words", "x".repeat(101)] },
  LIMIT_SCALE: { good: ["0.5", "100"], bad: ["0", "off"] },
  TRUSTED_PROXIES: {
    good: ["10.0.0.0/8", "::1", "192.168.1.1, fd00::/8,", "2001:db8::/32"],
    // What was taken by its form alone stopped the start elsewhere, without a word of which variable it was.
    bad: ["10.0.0.0/33", "proxy.example.com", "10.0.0", "::1/129", "300.0.0.1", "10.0.0.1/8", "::ffff:0:0/8", ":::1"],
  },
  METRICS_ALLOW: { good: ["127.0.0.1"], bad: ["*"] },
  METRICS_TOKEN: { good: ["0123456789abcdef"], bad: ["short", "has a space in the middle", "x".repeat(201)] },
  AUTH_ACCESS_TOKEN_SECONDS: { good: ["30"], bad: ["29", "86401"] },
  AUTH_SIGNING_ALGORITHM: { good: ["EdDSA", "RS256"], bad: ["HS256", "none"] },
  AUTH_JWKS_MAX_AGE_SECONDS: { good: ["1", "86400"], bad: ["0", "86401"] },
  AUTH_REFRESH_TOKEN_SECONDS: { good: ["901"], bad: ["59", "soon"] },
  AUTH_SESSION_IDLE_SECONDS: { good: ["3600"], bad: ["59", "never"] },
  AUTH_ISSUER: { good: ["https://id.example.com"], bad: ["my issuer"] },
  AUTH_AUDIENCE: { good: ["api"], bad: ["x".repeat(201)] },
  OIDC_PROVIDERS: {
    good: [
      "[]",
      '[{"id":"acme","issuer":"https://id.example.com/realms/one","clientId":"groundwork"}]',
      '[{"id":"here","name":"Here","issuer":"http://127.0.0.1:9000","clientId":"a b"}]',
    ],
    bad: [
      "acme",
      "{}",
      '[{"id":"Acme Inc","issuer":"https://id.example.com","clientId":"x"}]',
      '[{"id":"acme","issuer":"http://id.example.com","clientId":"x"}]',
      '[{"id":"acme","issuer":"javascript:alert(1)","clientId":"x"}]',
      '[{"id":"acme","issuer":"https://id.example.com?x","clientId":"x"}]',
      '[{"id":"acme","issuer":"https://id.example.com","clientId":""}]',
      '[{"id":"a","issuer":"https://a.example","clientId":"x"},{"id":"a","issuer":"https://b.example","clientId":"x"}]',
    ],
  },
  PASSWORD_HASH_COST: { good: ["owasp"], bad: ["lowest", "cheap", "1"] },
  BREACHED_PASSWORDS_URL: {
    good: ["https://api.pwnedpasswords.com/range", "http://127.0.0.1:8000/"],
    bad: ["api.pwnedpasswords.com", "ftp://x"],
  },
  BREACHED_PASSWORDS_WHEN_AWAY: { good: ["accept", "refuse"], bad: ["ignore", "true"] },
  AUDIT_KEEP_DAYS: { good: ["90", "36500"], bad: ["89", "forever"] },
  APP_URL: { good: ["https://app.example.com/base"], bad: ["app.example.com", "javascript:alert(1)"] },
  MAIL_URL: { good: ["smtp://user:pw@mail.example.com:587", "smtps://mail"], bad: ["mail.example.com", "http://mail"] },
  MAIL_FROM: {
    good: ["mail@example.com", "Product <mail@example.com>"],
    bad: ["Product", "mail@", "Product <mail@example.com", "a@example.com, b@example.com"],
  },
  EMBEDDINGS_PROVIDER: { good: ["local"], bad: ["azure"] },
  EMBEDDINGS_BASE_URL: { good: ["http://localhost:11434/v1"], bad: ["localhost"] },
  EMBEDDINGS_MODEL: { good: ["text-embedding-3-small"], bad: ["a model"] },
  EMBEDDINGS_IDLE_SECONDS: { good: ["1"], bad: ["0"] },
  EMBEDDINGS_BATCH_SIZE: { good: ["1024"], bad: ["1025"] },
  AI_PROVIDERS: {
    good: [
      '[{"id":"openai","kind":"openai","models":["gpt-5-mini"]}]',
      '[{"id":"own","kind":"compatible","baseUrl":"http://[::1]/v1","models":[{"name":"a/b","inputPrice":0,"outputPrice":1}]}]',
    ],
    bad: [
      '[{"id":"openai","kind":"openai","models":[]}]',
      '[{"id":"own","kind":"compatible","models":["x"]}]',
      '[{"id":"own","kind":"compatible","baseUrl":"file:///x","models":["x"]}]',
      '[{"id":"own","kind":"openai","models":[{"name":"x","inputPrice":0.5,"outputPrice":1}]}]',
    ],
  },
  AI_ORGANISATION_DAY_MICRO_USD: { good: ["0", "5000000"], bad: ["-1", "0.5", "five"] },
  ...serviceSamples,
  EVENTS_RELAY_POLL_MS: { good: ["10"], bad: ["9"] },
  EVENTS_RELAY_BATCH: { good: ["1"], bad: ["0"] },
  EVENTS_MAX_ATTEMPTS: { good: ["1"], bad: ["101"] },
  KAFKA_URL: {
    good: [
      "kafka://localhost:9092",
      "kafka://a.example:9092,10.0.0.2:9093,[::1]:9094",
      "kafkas://app:p%40ss@broker.example:9093",
      "kafkas://app:secret@a:1,b:2?sasl=plain",
    ],
    bad: [
      "localhost:9092",
      "http://localhost:9092",
      "kafka://localhost",
      "kafka://localhost:9092,",
      "kafka://localhost:9092/topic",
      "kafka://app@localhost:9092",
      "kafka://app:secret@localhost:9092?sasl=gssapi",
      "kafka://localhost:9092?sasl=plain",
      "kafka://app:secret@localhost:9092?mechanism=plain",
      "kafka://app:%zz@localhost:9092",
    ],
  },
  QUEUES_CONCURRENCY: { good: ["256"], bad: ["257"] },
  QUEUES_JOB_TIMEOUT_MS: { good: ["100"], bad: ["99"] },
  QUEUES_KEEP_COMPLETED: { good: ["0"], bad: ["none"] },
  IDEMPOTENCY_KEEP_HOURS: { good: ["720"], bad: ["0"] },
  QUEUES_SET: {
    good: ["email=8", "run=200,sms=1"],
    bad: ["letters=1", "email=0", "email=1-2", "run=", "email=1.5", "run=1001"],
  },
  FLAGS: { good: ["docsPage=false,sqlSpans=off"], bad: ["docsPage"] },
};

describe("every variable", () => {
  const cases = Object.entries(samples).map(([name, sample]) => ({ name, ...sample }));

  test.each(cases)("$name takes what is allowed", ({ name, good }) => {
    for (const value of good)
      expect({ value, problems: problemsOf({ [name]: value }).filter(({ variable }) => variable === name) }).toEqual({
        value,
        problems: [],
      });
  });

  test.each(cases)("$name is refused with its name and a remedy, without its value", ({ name, bad }) => {
    for (const value of bad) {
      const [problem, ...others] = problemsOf({ [name]: value });
      expect({ value, others, variable: problem?.variable }).toEqual({ value, others: [], variable: name });
      expect(problem?.problem).toMatch(/^(is|has) /);
      expect(problem?.remedy).toMatch(/^set it to /);
      if (value.length > 4) expect(problem?.problem).not.toContain(value);
    }
  });

  test.each(cases)("$name counts as absent when it is empty", ({ name }) => {
    expect(problemsOf({ [name]: "  " })).toEqual([]);
  });
});

describe("the configuration as a whole", () => {
  test("needs no variable at all", () => {
    const cfg = parseConfig({});
    expect(cfg).toMatchObject({
      env: "development",
      log: { level: "info", pretty: false },
      db: {
        poolMax: 20,
        statementTimeoutMs: 5000,
        lockTimeoutMs: 4000,
        idleTimeoutMs: 30_000,
        idleInTransactionTimeoutMs: 30_000,
        ownerLogin: "warn",
      },
      otel: { sampleRatio: 1, serviceName: "groundwork", metricIntervalMs: 30_000 },
      limits: { scale: 1, trustedProxies: [] },
      auth: {
        accessTokenSeconds: 900,
        refreshTokenSeconds: 2_592_000,
        idleSeconds: 1_209_600,
        issuer: "groundwork",
        audience: "groundwork-api",
      },
      assets: { fileBytesMax: 26_214_400, tenantBytesMax: 1_073_741_824, tenantFilesMax: 10_000 },
      embeddings: { provider: "local", idleSeconds: 30, batchSize: 64 },
    });
    expect("redisUrl" in cfg).toBe(false);
    expect("endpoint" in cfg.otel).toBe(false);
  });

  test("samples one trace in twenty in production and all of them elsewhere", () => {
    expect(parseConfig({ NODE_ENV: "production" }).otel.sampleRatio).toBe(0.05);
    expect(parseConfig({ NODE_ENV: "test" }).otel.sampleRatio).toBe(1);
    expect(parseConfig({ NODE_ENV: "production", OTEL_TRACES_SAMPLER_ARG: "1" }).otel.sampleRatio).toBe(1);
  });

  test("is quieter and less limited in tests", () => {
    expect(parseConfig({ NODE_ENV: "test" })).toMatchObject({ log: { level: "fatal" }, limits: { scale: 1000 } });
  });

  test("takes every setting to its place", () => {
    const given = {
      NODE_ENV: "production",
      LOG_LEVEL: "debug",
      LOG_PRETTY: "1",
      REDIS_URL: "redis://r",
      DB_POOL_MAX: "7",
      DB_STATEMENT_TIMEOUT_MS: "70",
      DB_LOCK_TIMEOUT_MS: "72",
      DB_IDLE_TIMEOUT_MS: "71",
      DB_IDLE_IN_TRANSACTION_TIMEOUT_MS: "173",
      DB_OWNER_LOGIN: "refuse",
      OTEL_EXPORTER_OTLP_ENDPOINT: "http://c:4318",
      OTEL_EXPORTER_OTLP_HEADERS: "x=a%20b",
      OTEL_TRACES_SAMPLER_ARG: "0.5",
      OTEL_METRIC_EXPORT_INTERVAL: "500",
      OTEL_SERVICE_NAME: "svc",
      LIMIT_SCALE: "2",
      TRUSTED_PROXIES: "10.0.0.1, ::1",
      METRICS_ALLOW: "10.0.0.2",
      METRICS_TOKEN: "0123456789abcdef",
      AUTH_ACCESS_TOKEN_SECONDS: "60",
      AUTH_SIGNING_ALGORITHM: "RS256",
      AUTH_JWKS_MAX_AGE_SECONDS: "63",
      AUTH_REFRESH_TOKEN_SECONDS: "61",
      AUTH_SESSION_IDLE_SECONDS: "62",
      AUTH_ISSUER: "i",
      AUTH_AUDIENCE: "a",
      OIDC_PROVIDERS: '[{"id":"p","issuer":"https://p.example","clientId":"c"}]',
      PASSWORD_HASH_COST: "owasp",
      BREACHED_PASSWORDS_URL: "https://breaches",
      BREACHED_PASSWORDS_WHEN_AWAY: "refuse",
      AUDIT_KEEP_DAYS: "91",
      APP_URL: "https://app",
      MAIL_URL: "smtp://mail",
      MAIL_FROM: "mail@example.com",
      EMBEDDINGS_PROVIDER: "openai",
      EMBEDDINGS_BASE_URL: "http://m",
      EMBEDDINGS_MODEL: "m1",
      EMBEDDINGS_IDLE_SECONDS: "3",
      EMBEDDINGS_BATCH_SIZE: "4",
      AI_PROVIDERS: '[{"id":"o","kind":"openai","models":["m"]}]',
      AI_ORGANISATION_DAY_MICRO_USD: "52",
      ...serviceValues,
      EVENTS_RELAY_POLL_MS: "50",
      EVENTS_RELAY_BATCH: "51",
      EVENTS_MAX_ATTEMPTS: "5",
      KAFKA_URL: "kafkas://app:p%40ss@broker:9093,other:9094?sasl=plain",
      QUEUES_CONCURRENCY: "6",
      QUEUES_JOB_TIMEOUT_MS: "600",
      QUEUES_KEEP_COMPLETED: "8",
      QUEUES_SET: "email=8,run=20",
      IDEMPOTENCY_KEEP_HOURS: "9",
      FLAGS: "docsPage=0",
    } satisfies Record<VariableName, string>;
    expect(parseConfig(given)).toEqual({
      env: "production",
      log: { level: "debug", pretty: true },
      redisUrl: "redis://r",
      db: {
        poolMax: 7,
        statementTimeoutMs: 70,
        lockTimeoutMs: 72,
        idleTimeoutMs: 71,
        idleInTransactionTimeoutMs: 173,
        ownerLogin: "refuse",
      },
      otel: {
        endpoint: "http://c:4318",
        headers: { x: "a b" },
        sampleRatio: 0.5,
        serviceName: "svc",
        metricIntervalMs: 500,
      },
      limits: { scale: 2, trustedProxies: ["10.0.0.1/32", "::1/128"] },
      metrics: { allow: ["10.0.0.2/32"], token: "0123456789abcdef" },
      auth: {
        accessTokenSeconds: 60,
        signingAlgorithm: "RS256",
        jwksMaxAgeSeconds: 63,
        refreshTokenSeconds: 61,
        idleSeconds: 62,
        issuer: "i",
        audience: "a",
        oidcProviders: [{ id: "p", name: "p", issuer: "https://p.example", clientId: "c" }],
        passwordHashCost: "owasp",
        breachedPasswords: { url: "https://breaches", whenAway: "refuse" },
      },
      audit: { keepDays: 91 },
      appUrl: "https://app",
      mail: { url: "smtp://mail", from: "mail@example.com" },
      ...serviceConfig,
      embeddings: { provider: "openai", baseUrl: "http://m", model: "m1", idleSeconds: 3, batchSize: 4 },
      ai: { providers: [{ id: "o", kind: "openai", models: [{ name: "m" }] }], dayMicroUsd: 52 },
      events: {
        relayPollMs: 50,
        relayBatch: 51,
        maxAttempts: 5,
        kafka: {
          brokers: ["broker:9093", "other:9094"],
          isTls: true,
          sasl: { mechanism: "PLAIN", username: "app", password: "p@ss" },
        },
      },
      queues: {
        concurrency: 6,
        jobTimeoutMs: 600,
        keepCompleted: 8,
        set: { ...queueSet, email: 8, run: 20 },
      },
      idempotency: { keepHours: 9 },
      flags: { docsPage: "0" },
    });
  });

  test("reports every problem at once, in one printable message", () => {
    const wrong = { DB_POOL_MAX: "0", LOG_LEVEL: "loud", REDIS_URL: "nowhere" };
    expect(
      problemsOf(wrong)
        .map((problem) => problem.variable)
        .sort(),
    ).toEqual(Object.keys(wrong).sort());
    expect(() => parseConfig(wrong)).toThrow(
      /has 3 problems:\n.*LOG_LEVEL.*\n.*REDIS_URL.*\n.*DB_POOL_MAX is below 1: set it to a whole number from 1 to 500/,
    );
    expect(() => parseConfig({ LOG_LEVEL: "loud" })).toThrow(/has 1 problem:/);
  });

  test("a broken value's text never stands in the message: it may be a password", () => {
    expect(() => parseConfig({ REDIS_URL: "http://:hunter2@redis" })).toThrow(expect.not.stringContaining("hunter2"));
  });

  test("a mail server needs a sender", () => {
    expect(problemsOf({ MAIL_URL: "smtp://mail" }).map((problem) => problem.variable)).toEqual(["MAIL_FROM"]);
    expect(problemsOf({ MAIL_URL: "smtp://mail", MAIL_FROM: "bad" })).toHaveLength(1);
    expect(problemsOf({ MAIL_FROM: "mail@example.com" })).toEqual([]);
  });

  test("in production a mail server needs to know where the links in its mails lead", () => {
    const mail = { MAIL_URL: "smtp://mail", MAIL_FROM: "mail@example.com" };
    expect(problemsOf({ ...mail, NODE_ENV: "production" }).map((problem) => problem.variable)).toEqual(["APP_URL"]);
    expect(problemsOf({ ...mail, NODE_ENV: "production", APP_URL: "https://app" })).toEqual([]);
    expect(problemsOf(mail)).toEqual([]);
  });

  test("passwords are hashed for less than OWASP's cost in tests alone", () => {
    const lowest = { PASSWORD_HASH_COST: "lowest" };
    for (const elsewhere of [{}, { NODE_ENV: "development" }, { NODE_ENV: "production" }])
      expect(problemsOf({ ...elsewhere, ...lowest }).map(({ problem }) => problem)).toEqual([
        "is what tests alone may have",
      ]);
    expect(parseConfig({ NODE_ENV: "test", ...lowest }).auth.passwordHashCost).toBe("lowest");
    for (const NODE_ENV of ["test", "production"])
      expect(parseConfig({ NODE_ENV }).auth.passwordHashCost).toBe("owasp");
  });

  test("in production no password goes to Kafka in clear", () => {
    const production = (KAFKA_URL: string): string[] =>
      problemsOf({ NODE_ENV: "production", KAFKA_URL }).map(({ problem }) => problem);
    expect(production("kafka://app:secret@broker:9092?sasl=plain")).toEqual(["sends its password in clear"]);
    expect(production("kafkas://app:secret@broker:9092?sasl=plain")).toEqual([]);
    expect(production("kafka://app:secret@broker:9092")).toEqual([]);
  });

  test("an external embedder needs its address and its model", () => {
    expect(problemsOf({ EMBEDDINGS_PROVIDER: "openai" }).map((problem) => problem.variable)).toEqual([
      "EMBEDDINGS_BASE_URL",
      "EMBEDDINGS_MODEL",
    ]);
    expect(
      problemsOf({ EMBEDDINGS_PROVIDER: "openai", EMBEDDINGS_BASE_URL: "bad", EMBEDDINGS_MODEL: "m" }).map(
        (problem) => problem.problem,
      ),
    ).toEqual(["is not such a URL"]);
  });

  test("a refresh token must outlive an access token", () => {
    expect(
      problemsOf({ AUTH_ACCESS_TOKEN_SECONDS: "900", AUTH_REFRESH_TOKEN_SECONDS: "900" }).map(
        (problem) => problem.variable,
      ),
    ).toEqual(["AUTH_REFRESH_TOKEN_SECONDS"]);
    expect(problemsOf({ AUTH_ACCESS_TOKEN_SECONDS: "1000", AUTH_REFRESH_TOKEN_SECONDS: "1001" })).toEqual([]);
  });

  test("is frozen to the bottom", () => {
    const cfg = parseConfig({ TRUSTED_PROXIES: "10.0.0.1" });
    expect(() => Object.assign(cfg, { env: "test" })).toThrow(TypeError);
    expect(() => Object.assign(cfg.db, { poolMax: 1 })).toThrow(TypeError);
    expect(() => (cfg.limits.trustedProxies as string[]).push("0.0.0.0/0")).toThrow(TypeError);
  });

  test("every variable has a remedy that says what it takes", () => {
    for (const variable of Object.values(variables)) expect(variable.remedy.length).toBeGreaterThan(5);
  });
});

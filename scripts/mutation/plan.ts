// Which rules are changed, and which suites must notice. A rule has the fewest suites that hold it, because each of its
// changes runs them again; where they need no database a change costs a tenth of a second, else two seconds.
// Not here: wiring (api.ts, start.ts, encore.service.ts), statements (store.ts) and tables of texts (errors.ts), whose
// tests are those of the endpoints, of the policies and of the documents.

export interface PlanEntry {
  group: string;
  rules: readonly string[];
  suites: readonly string[];
  /** The suites need no database: what is loaded from node_modules may stay from one change to the next. */
  isPure?: true;
}

/** Paths below one folder, without `.ts`. */
const rules = (folder: string, names: string): string[] => names.split(" ").map((name) => `${folder}/${name}.ts`);
const suites = (folder: string, names: string): string[] =>
  names.split(" ").map((name) => `${folder}/__tests__/${name}.test.ts`);

export const plan: readonly PlanEntry[] = [
  {
    group: "security",
    rules: rules("security", "address client-ip"),
    suites: suites("security", "client-ip"),
    isPure: true,
  },
  { group: "security", rules: rules("security", "csrf"), suites: suites("security", "csrf"), isPure: true },
  {
    group: "security",
    rules: rules("security", "errors input normalise"),
    suites: suites("security", "errors"),
    isPure: true,
  },
  {
    group: "security",
    rules: rules("security", "charges counter footprints limits rate-limit-headers recent-map trips"),
    suites: suites("security", "charges counter limits recent-map"),
    isPure: true,
  },
  {
    group: "security",
    rules: rules("security", "endpoint-policy permissions principal provenance"),
    suites: suites("security", "endpoint-policy permissions principal provenance"),
    isPure: true,
  },
  {
    group: "security",
    rules: rules("security", "admission answer guard guard-check"),
    suites: suites("security", "guard guard-check"),
    isPure: true,
  },

  { group: "auth", rules: rules("auth", "access-token"), suites: suites("auth", "access-token"), isPure: true },
  {
    group: "auth",
    rules: [...rules("auth", "refresh-token passwords common-passwords email"), ...rules("security", "envelope")],
    suites: suites("auth", "credentials"),
    isPure: true,
  },
  { group: "auth", rules: rules("auth", "key-text"), suites: suites("auth", "key-text"), isPure: true },
  { group: "auth", rules: rules("auth", "key-schedule"), suites: suites("auth", "key-schedule"), isPure: true },
  { group: "auth", rules: rules("auth", "revocations"), suites: suites("auth", "revocations") },
  { group: "auth", rules: rules("auth", "api-keys"), suites: suites("auth", "api-keys") },
  {
    group: "auth",
    rules: rules("auth", "sessions attempts tokens gateway registration"),
    suites: suites("auth", "sessions"),
  },
  { group: "auth", rules: rules("auth", "account members organisations"), suites: suites("auth", "accounts") },
  { group: "auth", rules: rules("auth", "bounded-turns"), suites: suites("auth", "bounded-turns"), isPure: true },
  { group: "auth", rules: rules("auth", "invitations one-time-token"), suites: suites("auth", "invitations") },
  { group: "auth", rules: rules("auth", "organisation-life"), suites: suites("auth", "organisation-life") },
  { group: "auth", rules: rules("auth", "password-reset email-verification"), suites: suites("auth", "mailed-links") },
  { group: "auth", rules: rules("auth/factors", "step-up proof requirement"), suites: suites("auth", "step-up") },
  {
    group: "auth",
    rules: rules("auth/factors", "challenge enrolment recovery-codes second-factor totp"),
    suites: suites("auth", "second-factor"),
  },
  {
    group: "auth",
    rules: rules("auth/factors", "passkeys passkey-sign-in relying-party webauthn"),
    suites: suites("auth", "passkeys"),
  },

  {
    group: "db",
    rules: rules("db", "backoff errors transaction-control"),
    suites: suites("db", "backoff driver-errors transaction-control"),
    isPure: true,
  },
  { group: "db", rules: rules("db", "cursor"), suites: suites("db", "cursor") },
  { group: "db", rules: rules("db", "silence"), suites: suites("db", "silence") },
  {
    group: "db",
    rules: rules("db", "capability scope transaction open-transaction unit-of-work pipeline"),
    suites: suites("db", "transaction tenant execute-later"),
  },

  {
    group: "events",
    rules: rules(
      "events",
      "contracts contract-gate/alternatives contract-gate/bounds contract-gate/gate contract-gate/misfits contract-gate/samples",
    ),
    suites: suites("events", "contracts contract-gate"),
    isPure: true,
  },
  { group: "events", rules: rules("events", "publish hand-over"), suites: suites("events", "publish"), isPure: true },
  {
    group: "events",
    rules: rules("events", "consumer dead-letters dead-letter-desk declarations lost-deliveries"),
    suites: suites("events", "consumer redrive declarations lost-deliveries"),
  },
  {
    group: "events",
    rules: rules("events", "outbox destinations"),
    suites: suites("events", "relay refused-rows"),
  },

  { group: "queues", rules: rules("queues", "conventions"), suites: suites("queues", "conventions"), isPure: true },
  { group: "queues", rules: rules("queues", "fairness"), suites: suites("queues", "fairness") },
  {
    group: "queues",
    rules: rules("queues", "enqueue envelope run-job final-failure dead-letters"),
    suites: suites("queues", "jobs"),
  },

  { group: "audit", rules: rules("audit", "chain verify export"), suites: suites("audit", "chain") },
];

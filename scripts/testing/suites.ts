// Which test files may share a process (shared-worker.ts), and which take long.
import { readdirSync } from "node:fs";
import { join } from "node:path";

/** Their suites start the host in processes of its own, or call what keeps nothing between calls. */
const plainFolders = ["__tests__/", "bench/", "config/", "deploy/", "runtime/", "scripts/", "security/"];

/** Their suites open the app's database, and look only at what they put there: organisations of their own. */
const appFolders = ["audit/", "auth/", "console/", "db/", "flags/", "mail/", "secrets/", "services/", "vectors/"];

/**
 * Their suites run relays and workers, which take up what everybody before them left: they look only at destinations,
 * queues and consumers of their own, and not at a database that the suites of appFolders filled.
 */
const workerFolders = ["events/", "queues/", "sagas/"];

/** In other folders, but like those of workerFolders. */
export const workerSuites: readonly string[] = [
  "__tests__/testing.test.ts",
  "idempotency/__tests__/plans.test.ts",
  "services/records/__tests__/orders.test.ts",
];

/** In other folders, but like those of plainFolders. */
export const plainSuites: readonly string[] = [
  "audit/__tests__/chain-keys.test.ts",
  "audit/__tests__/key.test.ts",
  "auth/__tests__/access-token.test.ts",
  "auth/__tests__/bounded-turns.test.ts",
  "auth/__tests__/key-schedule.test.ts",
  "auth/__tests__/key-text.test.ts",
  "console/__tests__/problems.test.ts",
  "console/__tests__/signals.test.ts",
  "db/__tests__/backoff.test.ts",
  "events/__tests__/asyncapi.test.ts",
  "events/__tests__/contract-gate.test.ts",
  "events/__tests__/contracts.test.ts",
  "events/__tests__/event-bus.test.ts",
  "events/__tests__/kafka-message.test.ts",
  "events/__tests__/publish.test.ts",
  "flags/__tests__/memory.test.ts",
  "idempotency/__tests__/fingerprint.test.ts",
  "mail/__tests__/email.test.ts",
  "mail/__tests__/smtp.test.ts",
  "queues/__tests__/conventions.test.ts",
  "queues/__tests__/silent-redis.test.ts",
  "sagas/__tests__/definition.test.ts",
  "services/ai/__tests__/openai-protocol.test.ts",
  "services/ai/__tests__/sentences.test.ts",
  "services/assets/__tests__/reading.test.ts",
  "services/assets/__tests__/travel.test.ts",
  "services/notifications/__tests__/decision.test.ts",
  "services/sandbox/__tests__/bounds.test.ts",
  "services/sandbox/__tests__/escapes.test.ts",
  "services/sandbox/__tests__/host-fetch.test.ts",
  "services/sandbox/__tests__/pool.test.ts",
  "services/sandbox/__tests__/processes.test.ts",
  "services/sandbox/__tests__/walls.test.ts",
  "telemetry/__tests__/alerts.test.ts",
  "telemetry/__tests__/api.test.ts",
  "telemetry/__tests__/async-variable.test.ts",
  "telemetry/__tests__/docs-page.test.ts",
  "telemetry/__tests__/metrics.test.ts",
  "telemetry/__tests__/probes.test.ts",
  "telemetry/__tests__/shared-look.test.ts",
  "telemetry/__tests__/tracing.test.ts",
  "vectors/__tests__/chunker.test.ts",
  "vectors/__tests__/embedders.test.ts",
  "vectors/__tests__/markdown-processes.test.ts",
];

/**
 * They put other modules in the place of real ones, change what a process has one of, or count its time; or a relay is to
 * bring what they wait for to the consumers of their own room, past whatever others left.
 */
export const suitesApart: readonly string[] = [
  "__tests__/readme-snippets.test.ts",
  "__tests__/regular-expressions.test.ts",
  "auth/__tests__/guarded-cost.test.ts",
  "auth/__tests__/mailed-links.test.ts",
  "auth/__tests__/oidc.test.ts",
  "auth/__tests__/operators.test.ts",
  "auth/__tests__/uniform-answers.test.ts",
  "auth/__tests__/password-screen.test.ts",
  "auth/__tests__/revocations.test.ts",
  "auth/__tests__/start.test.ts",
  "db/__tests__/confused-deputies.test.ts",
  "db/__tests__/master-keys.test.ts",
  "db/__tests__/silence.test.ts",
  "runtime/__tests__/whole-app/every-endpoint.test.ts",
  "runtime/backup/__tests__/without-links.test.ts",
  "runtime/schema/__tests__/decimal.test.ts",
  "runtime/schema/__tests__/json-decoder.test.ts",
  "runtime/schema/__tests__/regexp.test.ts",
  "security/__tests__/client-ip.test.ts",
  "secrets/__tests__/secrets.test.ts",
  "services/ai/__tests__/breakers.test.ts",
  "services/assets/__tests__/assets.test.ts",
  "services/notifications/__tests__/digests.test.ts",
  "services/notifications/__tests__/notifications.test.ts",
  "services/notifications/__tests__/push.test.ts",
  "services/notifications/__tests__/stream.test.ts",
  "services/notifications/__tests__/templates.test.ts",
  "services/records/__tests__/model.test.ts",
  "vectors/__tests__/documents.test.ts",
  "services/notifications/__tests__/former-members.test.ts",
  "services/notifications/__tests__/quiet-hours.test.ts",
  "services/notifications/__tests__/redrive.test.ts",
  "services/notifications/__tests__/shown-receipt.test.ts",
  "services/records/__tests__/budgets.test.ts",
  "services/records/__tests__/payment-tokens.test.ts",
];

/**
 * They put other modules in the place of real ones, but open no database and leave nothing that runs: each gets the app's
 * modules anew, in a process that has loaded the packages they use.
 */
export const mockingSuites: readonly string[] = [
  "auth/__tests__/credentials.test.ts",
  "security/__tests__/charges.test.ts",
  "security/__tests__/errors.test.ts",
  "security/__tests__/guard-check.test.ts",
  "security/__tests__/guard-promises.test.ts",
  "security/__tests__/guard-traces.test.ts",
  "security/__tests__/guard.test.ts",
  "security/__tests__/principal.test.ts",
  "security/__tests__/provenance.test.ts",
  "telemetry/__tests__/logger.test.ts",
  "telemetry/__tests__/shutdown.test.ts",
];

/**
 * Of the suites that share a process with plainFolders' those that meet the native servers of `npm run test:pg`. The others would do there
 * what they do in `npm test`: the apps that they start have an embedded database of their own, or none.
 */
export const nativeSuites: readonly string[] = [
  "__tests__/testing.test.ts",
  "runtime/__tests__/infra-parity.test.ts",
  "runtime/__tests__/sql-parity.test.ts",
  "runtime/backup/__tests__/backup.test.ts",
  "runtime/backup/__tests__/contents.test.ts",
  "runtime/backup/__tests__/hostile-files.test.ts",
  "runtime/cache/__tests__/answers.test.ts",
  "runtime/cache/__tests__/cluster.test.ts",
  "runtime/cron/__tests__/scheduler.test.ts",
  "runtime/doctor/__tests__/doctor.test.ts",
  "runtime/infra/__tests__/migrations.test.ts",
  "runtime/pubsub/__tests__/topics.test.ts",
  "runtime/sql/__tests__/database.test.ts",
  "runtime/sql/__tests__/values.test.ts",
];

/** Test files share a process with those of their group only: what opened the database leaves connections and loops. */
export type ProcessGroup = "own" | "mocking" | "workers" | "app" | "plain";

/** In the order of a run: relays and workers before what the app's suites leave for them. */
export const processGroups: readonly ProcessGroup[] = ["own", "mocking", "workers", "app", "plain"];

/** @param file from the repository's root, with slashes; suites for native servers and long ones have their own process */
export function processGroup(file: string): ProcessGroup {
  if (suitesApart.includes(file) || /\.\w+\.test\.ts$/.test(file)) return "own";
  const isIn = (folders: readonly string[]): boolean => folders.some((folder) => file.startsWith(folder));
  if (mockingSuites.includes(file)) return "mocking";
  if (workerSuites.includes(file)) return "workers";
  if (plainSuites.includes(file) || isIn(plainFolders)) return "plain";
  if (isIn(workerFolders)) return "workers";
  return isIn(appFolders) ? "app" : "own";
}

/** Whether another database server could change anything for what a suite of `npm test` does with the app. */
export function opensDatabase(file: string): boolean {
  const isOfTheApp = !/^(__tests__|bench|runtime|scripts)\//.test(file);
  return isOfTheApp && ["own", "workers", "app"].includes(processGroup(file));
}

const withoutSuites: readonly string[] = [
  "node_modules",
  "dist",
  ".groundwork",
  "parity",
  "fixtures",
  "__arch_probes__",
];

/** Every test file of the repository at `root`, whatever runs it, with slashes. */
export function suitesIn(root: string, folder = ""): string[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "" ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) return withoutSuites.includes(entry.name) ? [] : suitesIn(root, path);
    return folder.includes("__tests__") && entry.name.endsWith(".test.ts") ? [path] : [];
  });
}

/** Those that take over two seconds by themselves, the slowest first. One that is missing here, or gone, costs seconds of the whole run. */
export const slowSuites: readonly string[] = [
  "runtime/__tests__/whole-app/every-endpoint.test.ts",
  "runtime/__tests__/whole-app/tokens-over-http.test.ts",
  "runtime/__tests__/infra-parity.test.ts",
  "db/__tests__/confused-deputies.test.ts",
  "runtime/__tests__/sql-parity.test.ts",
  "vectors/__tests__/documents.test.ts",
  "runtime/__tests__/whole-app/journey.test.ts",
  "runtime/http/__tests__/parity.test.ts",
  "runtime/__tests__/whole-app/trace.test.ts",
  "vectors/__tests__/embedders.test.ts",
  "vectors/__tests__/markdown-processes.test.ts",
  "services/sandbox/__tests__/bounds.test.ts",
  "services/sandbox/__tests__/walls.test.ts",
  "services/sandbox/__tests__/processes.test.ts",
  "services/sandbox/__tests__/pool.test.ts",
  "services/sandbox/__tests__/escapes.test.ts",
  "runtime/http/__tests__/raw-endpoints.test.ts",
  "auth/__tests__/sessions.test.ts",
  "runtime/generate/__tests__/typescript-client.test.ts",
  "sagas/__tests__/crashes.test.ts",
  "auth/__tests__/oidc.test.ts",
  "auth/__tests__/step-up-ways.test.ts",
  "sagas/__tests__/sagas.test.ts",
  "queues/__tests__/tasks.test.ts",
  "__tests__/architecture.test.ts",
  "db/__tests__/silence.test.ts",
  "__tests__/lint.test.ts",
  "events/__tests__/relay.test.ts",
  "auth/__tests__/passkeys.test.ts",
  "auth/__tests__/account-deletion.test.ts",
  "runtime/__tests__/whole-app/doors.test.ts",
  "vectors/__tests__/upkeep.test.ts",
  "vectors/__tests__/chunker.test.ts",
  "queues/__tests__/jobs.test.ts",
  "auth/__tests__/roles.test.ts",
  "runtime/parse/__tests__/parity.test.ts",
  "runtime/infra/__tests__/embedded.test.ts",
  "auth/__tests__/operators.test.ts",
  "auth/__tests__/second-factor.test.ts",
];

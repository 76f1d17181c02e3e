// `npm run admin -- …`: what is done to the installation by who has its machine and its secrets, and by no request. Runs in
// the app's environment (`groundwork exec --beside`), beside the running app; each command stands in the installation's log.
import { parseArgs } from "node:util";
import { sealByCommand } from "../audit/seal-command";
import { auditSealedCount } from "../audit/store/seals";
import { verifyByCommand } from "../audit/verify-command";
import { knownOrganisations } from "../auth/known-organisations";
import { createDevelopmentLink } from "../auth/operators/development-link";
import { endSessionsByCommand } from "../auth/operators/end-sessions";
import { startCommand } from "../auth/operators/command-start";
import {
  addOperator,
  listOperators,
  removeOperator,
  resetOperator,
  type OperatorSetup,
} from "../auth/operators/operators";
import {
  listSigningKeys,
  retireMasterKeyByCommand,
  revokeSigningKeyByCommand,
  rotateSigningKeysByCommand,
} from "../auth/key-commands";
import { sealedCount } from "../auth/store/sealed";
import {
  discardHeldByCommand,
  endReplayByCommand,
  followReplay,
  listConsumers,
  pauseConsumerByCommand,
  replayByCommand,
  resumeConsumerByCommand,
} from "../events/consumer-commands";
import { handleAllByCommand, platformEvents, type PlatformLetters } from "../events/platform-letters";
import { parseCursor, type Cursor } from "../db/cursor";
import { listMasterKeys, type SealedRows } from "../db/master-keys";
import { requestSealedCount } from "../idempotency/store";
import { platformJobs } from "../queues/platform-letters";
import { tenantKeySealedCount } from "../secrets/store";
import { shutDown } from "../telemetry/shutdown";

const usage = `npm run admin -- <command>

  operator add EMAIL       an operator, who sets up password and authenticator app with what is printed
  operator reset EMAIL     takes both away, ends the operator's sessions, prints another set-up
  operator remove EMAIL    with the operator's sessions
  operator list
  operator link [development]
                           opens the console signed in, once, from this machine; in development only, and with
                           \`development\` also where DATABASE_URL names the database
  sessions end EMAIL       all sign-ins of the account; its access tokens are refused within two seconds
  keys list                signing keys and what each does
  keys rotate              the key that stands by is to sign, once verifiers have it
  keys revoke KID          tokens of this key are refused within two seconds, and another signs
  master-keys list         which the database has known, and what each has sealed
  master-keys retire ID    once nothing is sealed with it and no process has it as its first: its access to the data ends
  consumers list           consumers of events, which are paused, and how much waits for each
  consumers pause NAME     what is for it waits, on every replica (--reason TEXT)
  consumers resume NAME    and gets it, in its order (--reason TEXT)
  consumers discard NAME   what waits for it is closed for good, as for one that will not come back (--reason TEXT)
  events replay --consumer NAME --from ISO [--until ISO] [--type TYPE] [--reason TEXT]
                           what occurred since then to this consumer again, which acts on it again; goes on when this is ended
  consumers end-replay NAME
                           what of its replay is not handed over yet does not come again (--reason TEXT)
  dead-letters list events|jobs
                           those of no organisation, with what went wrong; by --source NAME, --cause REASON, --from ISO, --until ISO
  dead-letters redrive events|jobs
                           all that these name once more, to who gave them up (--reason TEXT)
  dead-letters discard events|jobs
                           and closed for good (--reason TEXT)
  audit verify [ORGANISATION | installation]
                           whether each entry of the log, or of all logs, is as it was written; exit code 1 when one is not
  audit seal [ORGANISATION | installation]
                           seals where logs begin and end that no seal covers, of a version before; exit code 1 when one is broken
                           (--override REASON: the one that is named, although its seals do not fit; its entries must)
`;

const LETTERS_PER_PAGE = 100;

const say = (text: string): void => void process.stdout.write(`${text}\n`);

function saySetup({ email, setupToken }: OperatorSetup): void {
  say(`${email} sets up with this token, once, within an hour (POST /operator/setup):\n\n  ${setupToken}\n`);
}

type Options = Readonly<Record<string, string | undefined>>;

interface Command {
  run: (word: string, options: Options) => Promise<void>;
  word?: string;
  /** The word may be left out: it is empty then. */
  isWordOptional?: true;
  options?: readonly string[];
}

const letterFilter = ["source", "cause", "from", "until"];
const letterCriteria = ({ cause, source, from, until }: Options) => ({ reason: cause, source, from, until });

/** @throws Error for a kind that does not exist. */
function lettersOf(kind: string): PlatformLetters<object> {
  if (kind === "events") return platformEvents;
  if (kind === "jobs") return platformJobs;
  throw new Error(`dead letters are of events or of jobs, not of ${kind}`);
}

async function listLetters(kind: string, options: Options): Promise<void> {
  const letters = lettersOf(kind);
  let cursor: Cursor | undefined;
  do {
    const { rows, next } = await letters.list(letterCriteria(options), LETTERS_PER_PAGE, cursor);
    for (const { id, source, messageId, reason, attempts, deadAt, traceId, internalError } of rows) {
      say(`${id}  ${deadAt.toISOString()}  ${source}  ${messageId}  ${reason}  ${attempts} attempts  ${traceId ?? ""}`);
      say(`          ${internalError ?? ""}`);
    }
    cursor = parseCursor(next);
  } while (cursor !== undefined);
}

/** Whether the database may be a production's: it is not this folder's own, and nobody says that it is for development. */
function isElsewhere(word: string): boolean {
  if (word !== "" && word !== "development") throw new Error(`\`operator link development\`, not ${word}`);
  const { DATABASE_URL, ENCORE_INFRA_CONFIG_PATH } = process.env;
  return word === "" && Boolean(DATABASE_URL || ENCORE_INFRA_CONFIG_PATH);
}

const commands: Record<string, Command> = {
  "operator add": { word: "EMAIL", run: async (email) => saySetup(await addOperator(email)) },
  "operator reset": { word: "EMAIL", run: async (email) => saySetup(await resetOperator(email)) },
  "operator remove": {
    word: "EMAIL",
    run: async (email) => {
      await removeOperator(email);
      say(`${email} is no operator any more`);
    },
  },
  "operator list": {
    run: async () => {
      const operators = await listOperators();
      if (operators.length === 0) say("there are no operators");
      for (const { email, activatedAt, lastUsedAt, permissions } of operators)
        say(
          `${email}  ${activatedAt === null ? "not set up" : "active"}  last used ${lastUsedAt?.toISOString() ?? "never"}  ${permissions.join(" ")}`,
        );
    },
  },
  "operator link": {
    word: "development",
    isWordOptional: true,
    run: async (word) => say(`/console#${await createDevelopmentLink({ isDatabaseElsewhere: isElsewhere(word) })}`),
  },
  "sessions end": {
    word: "EMAIL",
    run: async (email) => {
      const count = await endSessionsByCommand(email);
      if (count === undefined) throw new Error(`nobody has an account with the e-mail ${email}`);
      say(`${count} sessions of ${email} are over`);
    },
  },
  "keys list": {
    run: async () => {
      for (const { kid, algorithm, state, signsFrom } of await listSigningKeys())
        say(
          `${kid}  ${algorithm}  ${state}${signsFrom === undefined ? "" : `  signs from ${signsFrom.toISOString()}`}`,
        );
    },
  },
  "keys rotate": {
    run: async () => {
      await rotateSigningKeysByCommand();
      say("the key that stood by is to sign; `keys list` says from when");
    },
  },
  "keys revoke": {
    word: "KID",
    run: async (kid) => {
      if (!(await revokeSigningKeyByCommand(kid)))
        throw new Error(`there is no signing key ${kid}: \`keys list\` shows them`);
      say(`${kid} is revoked`);
    },
  },
  "master-keys list": {
    run: async () => {
      const sealed = await sealedRows();
      for (const { id, standing, admittedAt, retiredAt, tokens, lastTokenAt } of await listMasterKeys()) {
        const state = retiredAt === null ? standing : `retired ${retiredAt.toISOString()}`;
        const last = lastTokenAt === null ? "" : ` (last ${lastTokenAt.toISOString()})`;
        say(`${id}  ${state}  since ${admittedAt.toISOString()}  tokens ${tokens}${last}`);
        for (const { what, keyId, rows } of sealed) if (keyId === id) say(`          ${what}: ${rows}`);
      }
    },
  },
  "master-keys retire": {
    word: "ID",
    run: async (id) => {
      const gone = await retireMasterKeyByCommand(id, await sealedRows());
      if (gone === undefined)
        throw new Error(`there is no master key ${id} to retire: \`master-keys list\` shows them`);
      say(`${id} is retired, and its ${gone} tokens are gone`);
    },
  },
  "consumers list": {
    run: async () => {
      for (const { consumer, pausedSince, pausedBy, pauseReason, waiting, ...rest } of await listConsumers()) {
        const runs = rest.isDeclared ? "runs" : "in no version that runs";
        const state = pausedSince === null ? runs : `paused since ${pausedSince.toISOString()} by ${pausedBy}`;
        const since = rest.waitingSince === null ? "" : ` since ${rest.waitingSince.toISOString()}`;
        say(`${consumer}  ${state}  ${waiting} events wait${since}${pauseReason === null ? "" : `  (${pauseReason})`}`);
        if (rest.replayId !== null)
          say(
            `          replay ${rest.replayId}: ${rest.replayLoaded} events, ${rest.replayWaiting} to be handed over`,
          );
      }
    },
  },
  "consumers pause": {
    word: "NAME",
    options: ["reason"],
    run: async (name, { reason }) =>
      say((await pauseConsumerByCommand(name, reason)) ? `${name} is paused` : `${name} was paused already`),
  },
  "consumers resume": {
    word: "NAME",
    options: ["reason"],
    run: async (name, { reason }) =>
      say((await resumeConsumerByCommand(name, reason)) ? `${name} gets what waited` : `${name} was not paused`),
  },
  "consumers discard": {
    word: "NAME",
    options: ["reason"],
    run: async (name, { reason }) =>
      say(`${await discardHeldByCommand(name, reason)} events that waited for ${name} are discarded`),
  },
  "consumers end-replay": {
    word: "NAME",
    options: ["reason"],
    run: async (name, { reason }) =>
      say((await endReplayByCommand(name, reason)) ? `the replay to ${name} is ended` : `${name} has no replay`),
  },
  "dead-letters list": { word: "KIND", options: letterFilter, run: listLetters },
  "dead-letters redrive": {
    word: "KIND",
    options: [...letterFilter, "reason"],
    run: async (kind, options) => {
      const count = await handleAllByCommand(lettersOf(kind).redrive, letterCriteria(options), options.reason);
      say(`${count} dead letters of ${kind} are sent again`);
    },
  },
  "dead-letters discard": {
    word: "KIND",
    options: [...letterFilter, "reason"],
    run: async (kind, options) => {
      const count = await handleAllByCommand(lettersOf(kind).discard, letterCriteria(options), options.reason);
      say(`${count} dead letters of ${kind} are discarded`);
    },
  },
  "audit verify": {
    word: "ORGANISATION",
    isWordOptional: true,
    run: async (log) => {
      const sayProgress = (line: string): void => void process.stderr.write(`${line}\n`);
      const output = { say, sayProgress, clock: () => performance.now() };
      if (!(await verifyByCommand(log, output, knownOrganisations))) process.exitCode = 1;
    },
  },
  "audit seal": {
    word: "ORGANISATION",
    isWordOptional: true,
    options: ["override"],
    run: async (log, { override }) => {
      if (!(await sealByCommand(log, say, override))) process.exitCode = 1;
    },
  },
  "events replay": {
    options: ["consumer", "from", "until", "type", "reason"],
    run: async (_, { consumer, from, ...rest }) => {
      if (consumer === undefined || from === undefined) throw new Error("--consumer NAME and --from ISO are needed");
      const id = await replayByCommand({ consumer, from, ...rest });
      let told = "";
      await followReplay(id, ({ state, loaded, waiting }) => {
        const line = `${state}: ${loaded} events, ${waiting} to be handed over`;
        if (line !== told) say((told = line));
      });
    },
  },
};

const sealedRows = async (): Promise<SealedRows[]> => [
  ...(await sealedCount()),
  ...(await tenantKeySealedCount()),
  ...(await requestSealedCount()),
  ...(await auditSealedCount()),
];

interface Given {
  command: Command;
  word: string;
  options: Options;
}

/** Undefined for what is no command. */
function parse([noun = "", verb = "", ...rest]: string[]): Given | undefined {
  const name = `${noun} ${verb}`;
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (command === undefined) return undefined;
  const options = Object.fromEntries((command.options ?? []).map((option) => [option, { type: "string" as const }]));
  try {
    const { values, positionals } = parseArgs({ args: rest, options, allowPositionals: true });
    const [word = ""] = positionals;
    const isFit =
      positionals.length === (command.word === undefined ? 0 : 1) ||
      (command.isWordOptional === true && positionals.length === 0);
    return isFit ? { command, word, options: values } : undefined;
  } catch {
    return undefined; // an option that it does not have
  }
}

async function main(args: string[]): Promise<void> {
  const given = parse(args);
  if (given === undefined) {
    process.stderr.write(usage);
    process.exitCode = 2;
    return;
  }
  startCommand();
  await given.command.run(given.word, given.options);
}

main(process.argv.slice(2))
  .catch((error: unknown) => {
    const { message, details } = error as { message: string; details?: { fields?: Record<string, string> } };
    const fields = Object.entries(details?.fields ?? {}).map(([field, problem]) => `${field} ${problem}`);
    process.stderr.write(`${[message, ...fields].join(": ")}\n`);
    process.exitCode = 1;
  })
  // What was counted is written, and connections are closed.
  .finally(() => shutDown().then(() => process.exit()));

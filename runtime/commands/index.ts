// The commands by name. Each loads what it needs when it is called, so that `run` does not pay for the others.
import { parseOptions, type CommandInput } from "./command-input";
import type { Installation } from "./installation";
import type { RunOptions } from "./run";

export const usage = `groundwork <command> [--app DIR]

  run [--port N] [--watch] [--after-start SCRIPT] [--extended]
                                                    start the app and what it needs
  check [--json] [--extended]                       parse the app, print its errors; --extended accepts types beyond
                                                    Encore's, as package.json#groundwork.extended does for every command
  test [-- VITEST ARGUMENTS]                        its tests, with its environment and a database per test file
  build [--output DIR]                              the app as one folder, with a Dockerfile (.encore/build/app)
  start [--dir DIR] [--port N]                      run a built folder from its infra.config.json or DATABASE_URL
  migrate up | status                               database migrations
  migrate repair FILE …                             take edited or removed files as what was applied
  backup FILE [--dir DIR]                           databases and buckets in one file, also beside the running app
  restore FILE [--overwrite] [--dir DIR]            all of it into an empty installation; --overwrite deletes what is there
  doctor [--json] [--dir DIR]                       what is wrong with this installation, and what to do about it
  gen client --lang typescript | openapi [--output FILE]
                                                    a client for the app's endpoints, or their description
  exec [--beside] -- COMMAND …                      run a command with the app's environment; --beside also while the
                                                    app runs: the database is used as it is, and nothing is migrated
  sql [-c STATEMENTS] [--write] [--database NAME] [--json]
                                                    look at the app's database, also beside the running app; reads only,
                                                    unless --write; statements from -c, a pipe or the terminal
  dead-letters list [TOPIC/SUBSCRIPTION] [--json]   messages that could not be handled; without a name how many there are
  dead-letters redrive TOPIC/SUBSCRIPTION [ID …]    deliver them again, all or the named ones
  dead-letters discard TOPIC/SUBSCRIPTION ID …      delete them for good
  dead-letters removed [--json]                     what is left of subscriptions that the app has no more
  dead-letters forget TOPIC/SUBSCRIPTION            delete all of that for one of these
  trace ID [--json]                                 the way of one request through the app's last lines (development)
  replay TOPIC/SUBSCRIPTION --since TIME            deliver handled messages again (the newest 1000 are kept)
  secrets seal NAME                                 a value from a pipe, or a random one, sealed by Vault's transit engine
  secrets rewrap NAME                               what is set for NAME, under the newest version of the transit key

The app is the folder above the current one that holds encore.app, or DIR.

variables: PORT, HOST, NODE_ENV
  DATABASE_URL               Postgres instead of the embedded one
  REDIS_URL                  Redis for topics, caches and crons
  ENCORE_INFRA_CONFIG_PATH   databases, Redis, secrets and more from a file in Encore's infra config format
  GROUNDWORK_SECRETS_DIR     folders of mounted secrets, a file each (Kubernetes, Docker, systemd)
  GROUNDWORK_VAULT_PATH      mount/path of a secret in Vault or OpenBao, with VAULT_ADDR and VAULT_TOKEN, VAULT_ROLE_ID and
                             VAULT_SECRET_ID, or VAULT_KUBERNETES_ROLE
  GROUNDWORK_VAULT_TRANSIT   mount/key of a transit engine there, which opens values that it sealed ("vault:v1:…")
  GROUNDWORK_STATE_DIR       where the embedded database and buckets are kept (.groundwork)
  GROUNDWORK_ENV_TYPE, GROUNDWORK_ENV_NAME, GROUNDWORK_BASE_URL
                             what the app's metadata says of where it runs
`;

const runOptions = ({ flags }: CommandInput): RunOptions => ({
  ...(flags.app === undefined ? {} : { app: flags.app }),
  ...(flags.port === undefined ? {} : { port: flags.port }),
  ...parseOptions(flags),
  ...(flags["after-start"] === undefined ? {} : { afterStart: flags["after-start"] }),
});

type Command = (input: CommandInput) => Promise<void>;

/** For a command that uses what the app uses: secrets kept elsewhere are read before it looks at the environment. */
const withSecrets =
  (command: Command): Command =>
  async (input) => {
    await (await import("../secrets/sources")).completeFromSources(input.env);
    await command(input);
  };

const installationOf = async (input: CommandInput): Promise<Installation> =>
  (await import("./find-installation")).findInstallation(input);

export const commands: Record<string, Command> = {
  run: withSecrets(async (input) => {
    if (input.flags.watch) await (await import("./watch")).watch(runOptions(input), input.env);
    else await (await import("./run")).run(runOptions(input), input.env);
  }),
  check: async (input) => (await import("./check")).check(input),
  test: async (input) => (await import("./test")).test(input),
  build: async (input) => (await import("./build")).build(input),
  start: withSecrets(async ({ flags, env }) =>
    (await import("./start")).start(
      { dir: flags.dir ?? ".", ...(flags.port === undefined ? {} : { port: flags.port }) },
      env,
    ),
  ),
  migrate: withSecrets(async (input) => (await import("./migrate")).migrateCommand(input)),
  backup: withSecrets(async (input) => (await import("./backup")).backupCommand(input, await installationOf(input))),
  restore: withSecrets(async (input) => (await import("./restore")).restoreCommand(input, await installationOf(input))),
  doctor: withSecrets(async (input) => (await import("./doctor")).doctorCommand(input, await installationOf(input))),
  gen: async (input) => (await import("./gen")).gen(input),
  exec: withSecrets(async (input) => (await import("./exec")).exec(input)),
  sql: withSecrets(async (input) => (await import("./sql")).sql(input)),
  "dead-letters": withSecrets(async (input) => (await import("./dead-letters")).deadLettersCommand(input)),
  secrets: async (input) => (await import("./secrets")).secretsCommand(input),
  trace: async (input) => (await import("./trace")).trace(input),
  replay: withSecrets(async (input) => (await import("./dead-letters")).replayCommand(input)),
};

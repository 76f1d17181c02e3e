// The commands by name. Each loads what it needs when it is called, so that `run` does not pay for the others.
import type { CommandInput } from "./command-input";
import type { RunOptions } from "./run";

export const usage = `groundwork <command> [--app DIR]

  run [--port N] [--watch] [--after-start SCRIPT]   start the app and what it needs
  check [--json] [--extended]                       parse the app, print its errors
  migrate up | status                               database migrations
  gen client --lang openapi [--output FILE]         generate from the app's endpoints
  exec -- COMMAND …                                 run a command with the app's environment
`;

const runOptions = ({ flags }: CommandInput): RunOptions => ({
  ...(flags.app === undefined ? {} : { app: flags.app }),
  ...(flags.port === undefined ? {} : { port: flags.port }),
  ...(flags["after-start"] === undefined ? {} : { afterStart: flags["after-start"] }),
});

export const commands: Record<string, (input: CommandInput) => Promise<void>> = {
  run: async (input) => {
    if (input.flags.watch) await (await import("./watch")).watch(runOptions(input), input.env);
    else await (await import("./run")).run(runOptions(input), input.env);
  },
  check: async (input) => (await import("./check")).check(input),
  migrate: async (input) => (await import("./migrate")).migrateCommand(input),
  gen: async (input) => (await import("./gen")).gen(input),
  exec: async (input) => (await import("./exec")).exec(input),
};

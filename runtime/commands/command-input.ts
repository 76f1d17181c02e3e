// What the command line hands to a command.
import type { ParseOptions } from "../parse/options";

export interface CommandInput {
  flags: {
    app?: string;
    dir?: string;
    port?: string;
    watch?: boolean;
    "no-watch"?: boolean;
    "after-start"?: string;
    json?: boolean;
    extended?: boolean;
    lang?: string;
    output?: string;
    since?: string;
    command?: string;
    database?: string;
    write?: boolean;
    beside?: boolean;
    overwrite?: boolean;
  };
  words: string[];
  /** What stood after `--`. */
  rest: string[];
  env: NodeJS.ProcessEnv;
}

/** How a command parses: without `--extended` as the app's package.json says. */
export const parseOptions = ({ extended }: { extended?: boolean }): ParseOptions =>
  extended === undefined ? {} : { extended };

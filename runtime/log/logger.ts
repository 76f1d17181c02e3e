// The native Logger (13.3): what `encore.dev/log` calls. Bound fields and the level live here; how a line
// looks and where it goes is the writer's business.
import { levelNames, LogLevel } from "./levels";
import type { Fields, LoggedRequest } from "./request-fields";
import type { LineWriter } from "./writer";

export { LogLevel };

export class Logger {
  readonly #writer: LineWriter;
  readonly #threshold: number;
  readonly #bound: Fields | undefined;

  constructor(writer: LineWriter, threshold: number, bound?: Fields) {
    this.#writer = writer;
    this.#threshold = threshold;
    this.#bound = bound;
  }

  // eslint-disable-next-line max-params -- the signature of napi.d.cts
  log(
    request: LoggedRequest | undefined | null,
    level: LogLevel,
    message: string,
    error?: Error,
    _caller?: string,
    fields?: Fields,
  ): void {
    if (level < this.#threshold || levelNames[level] === undefined) return;
    this.#writer.write({ request, level, message, error, fields: this.#merge(fields) });
  }

  withLevel(level: LogLevel): Logger {
    return new Logger(this.#writer, level, this.#bound);
  }

  with(fields: Fields): Logger {
    return new Logger(this.#writer, this.#threshold, this.#merge(fields));
  }

  /** A string in place of the fields is taken apart into its characters, as officially. */
  #merge(fields: Fields | undefined | null): Fields | undefined {
    if (fields === undefined || fields === null) return this.#bound;
    return this.#bound || typeof fields !== "object" ? { ...this.#bound, ...fields } : fields;
  }
}

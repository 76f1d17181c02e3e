// The port behind a cache cluster: Redis commands, run one after the other with nothing in between. Redis
// itself is one implementation, a few maps in this process the other.
import { nativeError } from "../native/native-error";

export type Argument = string | Buffer;
export type Command = [name: string, ...args: Argument[]];
export type Reply = null | number | Buffer | Reply[];

export interface Store {
  /** Replies in the order of `commands`. @throws StoreError naming those that were refused; the others have been run */
  run(commands: readonly Command[]): Promise<Reply[]>;
  close(): Promise<void>;
}

/** One refused command: its position, and Redis' own words with their code in front (`ERR` is left out). */
export interface Refusal {
  index: number;
  message: string;
}

export class StoreError extends Error {
  override name = "StoreError";

  constructor(
    readonly refusals: Refusal[],
    /** Refused before anything of the transaction was run. */
    readonly aborted = false,
  ) {
    super(refusals.map(({ message }) => message).join(", "));
  }
}

/** The error of a single command. */
export const refused = (message: string): StoreError => new StoreError([{ index: 0, message }]);

/** An error with a code of its own is told by it, as the official Redis client does. */
function describe({ index, message }: Refusal): string {
  const [, code, text] = /^([A-Z]{2,}) (.*)$/s.exec(message) ?? [];
  return `(Index ${index}, error: ${code ? `"${code}": ${text}` : `ResponseError: ${message}`})`;
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof StoreError)) return cause instanceof Error ? cause.message : String(cause);
  const what = cause.aborted
    ? "Transaction aborted"
    : cause.refusals.length > 1
      ? "Pipeline failures"
      : "Pipeline failure";
  return `${what}: [${cause.refusals.map(describe).join(", ")}]`;
}

/** What the SDK's caller sees (X-23): `cache <operation> "<key>": …`. */
export const cacheError = (operation: string, key: string, cause: unknown): Error =>
  nativeError(`cache ${operation} "${key}": redis error: ${reasonOf(cause)}`, "GenericFailure", cause);

/** Where the official client has no value to answer with. */
export const cacheMiss = (operation: string, key: string): Error =>
  nativeError(`cache ${operation} "${key}": cache miss`, "GenericFailure");

// The port behind a cache cluster: Redis commands, run one after the other with nothing in between. Redis
// itself is one implementation, a few maps in this process the other.
import { nativeError } from "../native/native-error";

export type Argument = string | Buffer;
export type Command = [name: string, ...args: Argument[]];
export type Reply = null | number | Buffer | Reply[];

export interface Store {
  /** Replies in the order of `commands`. @throws StoreError when one of them is refused; nothing else is undone */
  run(commands: readonly Command[]): Promise<Reply[]>;
  close(): Promise<void>;
}

/** Redis' own words for why a command is refused, without the leading `ERR`. */
export class StoreError extends Error {
  /** Position of the refused command. */
  readonly index: number;
  constructor(message: string, index = 0) {
    super(message);
    this.name = "StoreError";
    this.index = index;
  }
}

/** What the SDK's caller sees: `cache <operation> "<key>": …`. */
export function cacheError(operation: string, key: string, cause: unknown): Error {
  const reason =
    cause instanceof StoreError
      ? `Pipeline failure: [(Index ${cause.index}, error: ResponseError: ${cause.message})]`
      : cause instanceof Error ? cause.message : String(cause);
  return nativeError(`cache ${operation} ${JSON.stringify(key)}: redis error: ${reason}`, "GenericFailure", cause);
}

// One app process: the model, the configuration and what every primitive may use. Made once by
// module/runtime.ts and handed down; primitives never read the environment themselves.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { HostConfig } from "./config";
import type { AppModel } from "./model";

/** Log line of the host itself, in the format of the app's own lines. */
export interface HostLog {
  debug(message: string, fields?: Record<string, unknown>): void;
  info(message: string, fields?: Record<string, unknown>): void;
  warn(message: string, fields?: Record<string, unknown>): void;
  error(message: string, error: unknown, fields?: Record<string, unknown>): void;
  /**
   * For a line that is written often: makes what does not change once. `fixed` fields are in each line, those of `names` get the
   * values it is called with (`undefined` leaves one out). Null when such lines are not written.
   */
  prepareInfo(message: string, fixed: Record<string, unknown>, names: readonly string[]): PreparedLine | null;
}

export type PreparedLine = (values: readonly unknown[]) => void;

/** Answers a request that belongs to a primitive, such as a bucket's URL; returns false when it is not one of its own. */
export type FrontHandler = (request: IncomingMessage, response: ServerResponse) => boolean;

export interface Host {
  model: AppModel;
  config: HostConfig;
  testMode: boolean;
  log: HostLog;
  /** The SDK's own Decimal, made from the decimal's text. */
  newDecimal(text: string): unknown;
  /** Counts a request or a call of the auth handler that has been answered, with `ok` or its error's code. */
  countRequest?: (service: string, endpoint: string, code: string) => void;
  /** Asked before the app's routes, in order. Primitives add theirs while they are created. */
  front?: FrontHandler[];
}

/** A part of the host that runs: started after the handlers are registered. */
export interface Part {
  name: string;
  /** Whether work comes in through it. Such parts are drained first and at once, the others after them in reverse order. */
  takesWork?: boolean;
  start(): Promise<void>;
  /** Tells whoever asks that the end is near; work is still taken. */
  announceEnd?(): void;
  /** Stops taking new work and resolves when the work in flight is done. */
  drain(): Promise<void>;
}

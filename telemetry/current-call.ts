// What the code in front of every endpoint needs of the current call. The host answers directly; elsewhere it is read off
// Encore's `currentRequest()`, which copies all that it knows for each who asks.
import { currentRequest, type APICallMeta, type RequestMeta } from "encore.dev";

/** Values as in `currentRequest()`. */
export interface CurrentCall {
  readonly api: Pick<APICallMeta["api"], "service" | "endpoint" | "raw" | "tags">;
  /** Empty for streams (contract S-13). */
  readonly method: string;
  readonly path: string;
  readonly trace?: RequestMeta["trace"];
  /** `name` is lower case. Streams come without headers (contract S-13). */
  header(name: string): string | string[] | undefined;
}

type AskHost = (current: typeof currentRequest) => CurrentCall | undefined;

/** A courtesy of the host that runs without Encore's CLI; absent on the official runtime. */
const askHost = (globalThis as { [key: symbol]: unknown })[Symbol.for("groundwork.direct-call")] as AskHost | undefined;

/** The call that is being served, where the host answers directly. */
export const directCall = (): CurrentCall | undefined => askHost?.(currentRequest);

/**
 * The call that is being served; undefined outside of calls.
 * @param meta what a middleware has as `requestMeta`; read only where nobody answers directly
 */
export const currentCall = (meta: () => ReturnType<typeof currentRequest> = currentRequest): CurrentCall | undefined =>
  directCall() ?? callOf(meta());

function callOf(meta: ReturnType<typeof currentRequest>): CurrentCall | undefined {
  if (meta?.type !== "api-call") return undefined;
  const { api, method, path, trace, headers } = meta;
  return { api, method, path, ...(trace === undefined ? {} : { trace }), header: (name) => headers[name] };
}

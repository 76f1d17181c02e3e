// Where the guard meets what keeps the answers of endpoints tagged `idempotent`: that needs the database, which stands
// above. A service whose endpoints have the tag starts it (idempotency/start.ts); without it they refuse keys, because a
// client that sends one relies on it.
import type { HandlerResponse, MiddlewareRequest, Next } from "encore.dev/api";
import type { CurrentCall } from "../telemetry/current-call";
import { commonErrors } from "./common-errors";

/** Lower case, as calls name headers. */
export const IDEMPOTENCY_HEADER = "idempotency-key";

/** @param key as it was sent; a list when it was sent more than once */
export type AnswerKeeper = (
  req: MiddlewareRequest,
  next: Next,
  call: CurrentCall,
  key: string | readonly string[],
) => Promise<HandlerResponse>;

let keeper: AnswerKeeper | undefined;

export function useAnswerKeeper(keep: AnswerKeeper): void {
  keeper = keep;
}

/** Runs the endpoint, or gives the answer that it gave to the same key before. */
export function onceOnly(req: MiddlewareRequest, next: Next, call: CurrentCall): Promise<HandlerResponse> {
  const key = call.header(IDEMPOTENCY_HEADER);
  if (key === undefined) return next(req);
  if (keeper === undefined)
    throw commonErrors.internal_error({
      internal: `${call.api.service} has idempotent endpoints and does not call startIdempotency() in its encore.service.ts`,
    });
  return keeper(req, next, call, key);
}

// A short way to what `currentRequest()` tells. The SDK copies all of it with two object spreads, which Node 20 does at two
// microseconds a field, and middleware that needs three fields pays for ten. So the host puts a function under
// `Symbol.for("groundwork.direct-call")`: given the SDK's `currentRequest`, it lets the SDK find the request, answers from
// it, and the SDK copies nothing. A courtesy like the others under such names: where it is absent, an app asks the SDK.
import type { ApiCallData, RequestMeta, TraceData } from "./request";

/** What the direct way tells of a call; values as in `currentRequest()`. */
export interface DirectCall {
  readonly api: ApiCallData["api"];
  readonly method: string;
  readonly path: string;
  readonly trace: TraceData;
  /** A value of `headers`; `name` is lower case. */
  header(name: string): string | string[] | undefined;
}

/** What the SDK gets while the direct way is taken: a request of no kind, of which it tells nothing. */
const nothing: RequestMeta = { startedAt: "" };

let isAsking = false;
let answer: DirectCall | undefined;

/** For whoever is a call: what to give the SDK when this is the direct way, else undefined. */
export function answerDirectly(call: DirectCall): RequestMeta | undefined {
  if (!isAsking) return undefined;
  answer = call;
  return nothing;
}

/** The call that is being served; undefined outside of calls (messages, auth handlers, system start). */
function directCall(currentRequest: () => unknown): DirectCall | undefined {
  isAsking = true;
  try {
    currentRequest();
    return answer;
  } finally {
    isAsking = false;
    answer = undefined;
  }
}

const key = Symbol.for("groundwork.direct-call");

export function offerDirectCalls(): void {
  (globalThis as { [key]?: typeof directCall })[key] = directCall;
}

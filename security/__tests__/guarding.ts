// One call through the guard, as Encore's wrapper would run it, for the suites of the guard.
import { HandlerResponse, type MiddlewareRequest } from "encore.dev/api";
import { internalsOf, reasonOf } from "../errors";
import { guardOf } from "../guard";
import type { AuthData } from "../principal";

export const guard = guardOf("test");
export const user: AuthData = {
  userID: "0193a1c0-0000-7000-8000-000000000001",
  tenantId: "0193a1c0-0000-7000-8000-0000000000aa",
  role: "member",
  sessionId: "s",
};
let calls = 0;

export interface Call {
  tags: string[];
  method?: string;
  headers?: Record<string, string>;
  handler?: () => unknown;
  raw?: boolean;
  /** What the handler sets. */
  answerHeaders?: Record<string, string>;
  rawStatus?: number;
  stream?: { close?: () => void };
}

/** One request through the guard as Encore's wrapper would run it; every call is a new endpoint. */
export function request(
  { tags, method = "GET", headers = {}, handler = () => ({ ok: true }), raw = false, ...more }: Call,
  which = guard[0],
) {
  const endpoint = `endpoint${++calls}`;
  const rawHeaders: Record<string, unknown> = {};
  const rawResponse = raw
    ? {
        statusCode: more.rawStatus ?? 200,
        setHeader: (name: string, value: unknown) => void (rawHeaders[name] = value),
      }
    : undefined;
  const req = {
    requestMeta: {
      type: "api-call",
      method,
      path: "/x",
      pathAndQuery: "/x",
      pathParams: {},
      headers,
      api: { service: "test", endpoint, raw, auth: false, tags },
      trace: { traceId: "0123456789abcdefghijklmnos", spanId: "vvvvvvvvvvvvu" },
    },
    rawRequest: raw ? { method } : undefined,
    rawResponse,
    stream: more.stream,
  } as unknown as MiddlewareRequest;
  const response = which!(req, async () => {
    const answer = new HandlerResponse(await handler());
    for (const [name, value] of Object.entries(more.answerHeaders ?? {})) answer.header.set(name, value);
    return answer;
  });
  return { route: `test.${endpoint}`, rawHeaders, response };
}

/** `ok`, or the reason of the refusal. */
export async function outcome(call: Call, which = guard[0]): Promise<string> {
  return request(call, which).response.then(
    () => "ok",
    (error: unknown) => reasonOf(error) ?? "no reason",
  );
}

/** What only we may read of a refusal. */
export const internalOf = (call: Call): Promise<string | undefined> =>
  request(call).response.then(
    () => "ok",
    (error: unknown) => internalsOf(error)?.internal,
  );

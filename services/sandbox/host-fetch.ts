// `host.fetch(url, {method?, headers?, body?})` for users' code: the app asks in its place, through the guard against requests into our own
// network (security/outbound.ts). Who runs code decides whether it has this; the endpoint does not give it.
import { z } from "zod";
import { OutboundError, outboundFetch, type OutboundRules } from "../../security/outbound";
import { HostCallError, type HostFunction } from "./host-functions";
import { CALL_MAX_CHARS } from "./limits";

/** What belongs to the connection is not the code's to say (RFC 9110, 7.6.1; RFC 9112). */
const OURS: ReadonlySet<string> = new Set([
  ...["connection", "content-length", "expect", "host", "keep-alive", "proxy-authorization", "proxy-connection"],
  ...["te", "trailer", "transfer-encoding", "upgrade"],
]);

const headerName = z
  .string()
  .max(100)
  .refine((name) => !OURS.has(name.toLowerCase()));

const given = z.tuple([
  z.string(),
  z
    .strictObject({
      method: z.enum(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]).default("GET"),
      headers: z.record(headerName, z.string().max(2_000)).default({}),
      body: z.string().max(CALL_MAX_CHARS).optional(),
    })
    .prefault({}),
]);

/** Answers {status, headers, text}. A redirect is an answer like any other. */
export function hostFetch(rules: OutboundRules): HostFunction {
  const ask = outboundFetch(rules);
  return async (values, signal) => {
    const parsed = given.safeParse(values);
    if (!parsed.success) throw new HostCallError("fetch takes an address, and {method, headers, body}");
    const [address, init] = parsed.data;
    try {
      const answer = await ask(address, { ...init, signal });
      return { status: answer.status, headers: Object.fromEntries(answer.headers), text: await answer.text() };
    } catch (error) {
      const why = error instanceof OutboundError ? `: ${error.message}` : "";
      throw new HostCallError(`the request failed${why}`);
    }
  };
}

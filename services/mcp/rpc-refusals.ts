// Refusals of the endpoint itself as JSON-RPC errors without an id, with the HTTP status beside them, because MCP clients show
// nothing else. What a tool refuses is a result (tool-result.ts). Sources: https://www.jsonrpc.org/specification (5.1), MCP
// 2025-11-25, "Streamable HTTP" (403 and 400 may have such a body) and "Authorization" (401 names the scheme, RFC 6750 §3).
import { NO_JSON } from "../../security/json-body";
import { statusOf, type Refusal, type RefusalAnswer } from "../../security/refusal-forms";

const INVALID_REQUEST = -32_600;
const PARSE_ERROR = -32_700;
/** "Reserved for implementation-defined server-errors." */
const SERVER_ERROR = -32_000;

function codeOf({ status, details: { fields = {} } }: Refusal): number {
  if (fields["(body)"] === NO_JSON) return PARSE_ERROR;
  return status === 400 ? INVALID_REQUEST : SERVER_ERROR;
}

export function rpcRefusal(refusal: Refusal): RefusalAnswer {
  const { message, details } = refusal;
  const status = statusOf(refusal);
  return {
    status,
    body: { jsonrpc: "2.0", id: null, error: { code: codeOf(refusal), message, data: details } },
    ...(status === 401 ? { headers: { "www-authenticate": "Bearer" } } : {}),
  };
}

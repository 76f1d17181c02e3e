// What a tool answers, and what it refuses: a result with `isError`, which the model reads and can act upon, with our reason and
// what to do about it. An error of the protocol would be shown to nobody but the client (MCP 2025-11-25, "Tools", "Error Handling").
import type { CallToolResult } from "@modelcontextprotocol/sdk/types.js";
import { remedyOf, type ErrorDetails } from "../../security/errors";
import { normaliseError } from "../../security/normalise";

/** As structured content, and as text for clients that don't read it. */
export function resultOf(answer: object): CallToolResult {
  return { structuredContent: { ...answer }, content: [{ type: "text", text: JSON.stringify(answer) }] };
}

/** Whatever was thrown: what is no error of ours is logged, and nothing of it shown. */
export function refusalOf(thrown: unknown): CallToolResult {
  const error = normaliseError(thrown);
  const { reason, ...details } = (error.details ?? { reason: error.code }) as unknown as ErrorDetails;
  const remedy = remedyOf(reason);
  const told = { reason, message: error.message, ...(remedy === undefined ? {} : { remedy }), ...details };
  return { isError: true, content: [{ type: "text", text: JSON.stringify({ error: told }) }] };
}

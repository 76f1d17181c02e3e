// The endpoint of the Model Context Protocol (Streamable HTTP, https://modelcontextprotocol.io/specification/2025-11-25/basic/transports):
// an organisation's documents as tools of a model's client, by API key or access token. Without `auth`, so that it is the guard who
// refuses strangers, in the protocol's form (rpc-refusals.ts), and not the gateway.
import { appMeta } from "encore.dev";
import { api } from "encore.dev/api";
import { cfg } from "../../config";
import { commonErrors } from "../../security/common-errors";
import { currentCaller } from "../../security/principal";
import { readMessage } from "./body";
import { isForeignOrigin, toldAddress, type Headers } from "./origin";

/** One JSON-RPC message of an MCP client: `initialize`, `tools/list`, `tools/call`. Answers JSON; a notification has no answer (202). */
export const receive = api.raw(
  // Without a limit of Encore's, which ends the body as if the connection were cut: body.ts has one.
  { expose: true, method: "POST", path: "/mcp", bodyLimit: null, tags: ["caller", "refuses:mcp"] },
  async (req, resp) => {
    const { apiBaseUrl } = appMeta();
    if (isForeignOrigin(req.headers, [cfg.appUrl, apiBaseUrl])) throw commonErrors.cross_site_request();
    const left = new AbortController();
    resp.once("close", () => left.abort());
    const caller = currentCaller();
    const body = await readMessage(req);
    const message = {
      headers: headersOf(req.headers),
      body,
      caller,
      apiUrl: toldAddress(req.headers, apiBaseUrl),
      left: left.signal,
    };
    // Loaded by the first message: the SDK takes longer than all the rest of the app's start, and most apps answer none.
    const { answerMessage } = await import("./server");
    const answer = await answerMessage(message);
    if (answer === undefined) return;
    resp.statusCode = answer.status;
    for (const [name, value] of answer.headers) resp.setHeader(name, value);
    resp.end(await answer.text());
  },
);

/** What of a request the protocol reads. */
function headersOf(sent: Headers): Record<string, string> {
  const read: Record<string, string> = {};
  for (const name of ["content-type", "mcp-protocol-version"]) {
    const value = sent[name];
    // The platform's headers take no other letters, and the protocol needs none.
    if (typeof value === "string" && /^[ -~]*$/.test(value)) read[name] = value;
  }
  return read;
}

/**
 * A stream of what the server says by itself (GET), and the end of a session (DELETE): there are neither, and 405 says so. Clients that
 * get another answer try again and again, or hold an empty stream open (upstash/context7 #2099, punkpeye/mcp-proxy #62).
 */
export const refuseSession = api.raw(
  { expose: true, method: ["GET", "DELETE"], path: "/mcp", tags: ["caller", "refuses:mcp"] },
  async (_req, resp) => {
    resp.statusCode = 405;
    resp.setHeader("allow", "POST");
    resp.setHeader("content-type", "application/json");
    const error = { code: -32_000, message: "there are no sessions and no stream here: send each message by POST" };
    resp.end(JSON.stringify({ jsonrpc: "2.0", id: null, error }));
  },
);

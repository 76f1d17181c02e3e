// One message of an MCP client, answered by a server that is made for it and thrown away: nothing is kept between two requests. Servers
// that keep a session in memory answer 404 behind a load balancer and after each restart, and their clients don't recover
// (agentic-community/mcp-gateway-registry #960, PrefectHQ/fastmcp #3073, modelcontextprotocol/java-sdk #499); what a session is for
// (requests of the server, notifications) these tools have none of. For the same reason answers are JSON and never a stream, and the
// stream that clients ask for by GET is refused (api.ts). The SDK's transport of web requests is used, not the one of node:http, which
// needs an adapter; its Express parts are not loaded.
import { AjvJsonSchemaValidator } from "@modelcontextprotocol/sdk/validation/ajv-provider.js";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { WebStandardStreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/webStandardStreamableHttp.js";
import { CallToolRequestSchema, ErrorCode, ListToolsRequestSchema, McpError } from "@modelcontextprotocol/sdk/types.js";
import { can } from "../../security/permissions";
import type { Caller } from "../../security/principal";
import { callTool } from "./tool-calls";
import { refusalOf, resultOf } from "./tool-result";
import { isToolName, tools } from "./tools";

const ABOUT = { name: "groundwork", title: "Groundwork documents", version: "1.0.0" };
const INSTRUCTIONS =
  "The documents of one organisation. Find pieces with `search`, read the whole of one with `fetch` by a result's id, page by page, store one with `ingest`. Cite a result's `url` and `heading`.";

/** Nothing of these tools asks a client for a form; one for all, because making one costs milliseconds. */
const jsonSchemaValidator = new AjvJsonSchemaValidator();

export interface Message {
  headers: Record<string, string>;
  body: unknown;
  caller: Caller;
  apiUrl: string;
  /** Aborts when the client has left. */
  left: AbortSignal;
}

/** The transport refuses clients that name one form (anthropics/claude-code #45368, ComposioHQ/composio #2152); here it is JSON anyway. */
const ACCEPT = "application/json, text/event-stream";

function serverFor({ caller, apiUrl }: Message): McpServer {
  const options = { capabilities: { tools: {} }, instructions: INSTRUCTIONS, jsonSchemaValidator };
  const server = new McpServer(ABOUT, options);
  server.server.setRequestHandler(ListToolsRequestSchema, () => ({
    tools: Object.values(tools).flatMap(({ permission, listed }) => (can(caller, permission) ? [listed] : [])),
  }));
  server.server.setRequestHandler(CallToolRequestSchema, async ({ params }) => {
    const { name, arguments: sent = {} } = params;
    if (!isToolName(name)) throw new McpError(ErrorCode.InvalidParams, "no such tool: tools/list names them");
    return callTool(name, sent, apiUrl).then(resultOf, refusalOf);
  });
  return server;
}

/** undefined when the client left before: then what is under way is told to end, and nothing of it is answered. */
export async function answerMessage(message: Message): Promise<Response | undefined> {
  const { body, left } = message;
  if (left.aborted) return undefined;
  const server = serverFor(message);
  const transport = new WebStandardStreamableHTTPServerTransport({ enableJsonResponse: true });
  const headers = { ...message.headers, accept: ACCEPT };
  const request = new Request(message.apiUrl, { method: "POST", headers });
  const gone = new Promise<undefined>((resolve) =>
    left.addEventListener("abort", () => resolve(undefined), { once: true }),
  );
  try {
    await server.connect(transport);
    return await Promise.race([transport.handleRequest(request, { parsedBody: body }), gone]);
  } finally {
    await server.close();
  }
}

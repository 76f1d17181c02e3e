// The tools: what each takes and answers, as zod says it once for the list (JSON Schema), the check and the types. They are the
// endpoints of the vectors service under names that models know: `search` and `fetch` as clients that look for exactly these two
// expect them (https://platform.openai.com/docs/mcp: `results` of id, title and url; id, title, text, url and metadata). What a
// caller may do, and how often, is for those endpoints to say; `permission` only decides which tools are listed.
import { z } from "zod";
import type { Permission } from "../../security/permissions";

/** Characters of a text that `fetch` answers at once: 500,000 of one document would fill a model's window. */
const PAGE_CHARS = 20_000;
const PAGE_CHARS_MAX = 100_000;

const metadata = z.record(z.string(), z.union([z.string(), z.number(), z.boolean()]));
const status = z.enum(["pending", "ready", "failed"]);
const url = z.string().describe("Where the document is: its source, if that is an address, else the API's");

const searchInput = z.strictObject({
  query: z.string().min(1).max(1_000).describe("A question, or words"),
  k: z.int().min(1).max(50).default(8).describe("How many results at most"),
  mode: z.enum(["hybrid", "vector", "words"]).default("hybrid").describe("By meaning, by words, or by both"),
  source: z.string().min(1).max(512).optional().describe("Only in the document of exactly this source"),
  sourcePrefix: z.string().min(1).max(512).optional().describe("Only in documents whose source begins so"),
  metadata: metadata.optional().describe("Only in documents whose metadata has all of these values"),
  cursor: z.string().max(1_000).optional().describe("`next` of the page before"),
});

const searchOutput = z.object({
  mode: z.enum(["hybrid", "vector", "words"]),
  results: z.array(
    z.object({
      id: z.string().describe("Of the document, for `fetch`"),
      title: z.string(),
      heading: z.string().describe("The headings that the piece stands under, outermost first"),
      source: z.string(),
      snippet: z.string(),
      url,
      chunk: z.int().describe("Place of the piece in its document, from 0"),
      score: z.number().describe("1 is the best there can be"),
    }),
  ),
  next: z.string().optional().describe("`cursor` of the next page"),
});

const fetchInput = z.strictObject({
  id: z.string().min(1).max(100).describe("`id` of a result"),
  offset: z.int().min(0).max(10_000_000).default(0).describe("Character of the text to begin at"),
  limit: z.int().min(1).max(PAGE_CHARS_MAX).default(PAGE_CHARS).describe("How many characters of the text at most"),
});

const fetchOutput = z.object({
  id: z.string(),
  title: z.string(),
  text: z.string(),
  url,
  source: z.string(),
  status,
  metadata,
  characters: z.int().describe("Of the whole text"),
  next: z.int().optional().describe("`offset` of the rest; absent when this is the end"),
});

const ingestInput = z.strictObject({
  source: z.string().min(1).max(512).describe("What the document is to you: a path, an address. The same replaces it"),
  text: z.string().min(1).max(500_000).describe("Markdown or plain text"),
  title: z.string().min(1).max(300).optional().describe("Otherwise the first heading of level 1"),
  metadata: metadata.optional().describe("At most 32 values"),
});

const ingestOutput = z.object({
  id: z.string(),
  status: status.describe("`ready` when all of it can be found, `pending` until then"),
});

export type SearchArguments = z.output<typeof searchInput>;
export type SearchResult = z.input<typeof searchOutput>;
export type FetchArguments = z.output<typeof fetchInput>;
export type FetchResult = z.input<typeof fetchOutput>;
export type IngestArguments = z.output<typeof ingestInput>;
export type IngestResult = z.input<typeof ingestOutput>;

/** Without `$schema`: clients check by the dialect that they know, and these mean the same in each. */
function jsonSchemaOf(schema: z.ZodType, io: "input" | "output"): { type: "object" } {
  const { $schema: _dialect, ...written } = z.toJSONSchema(schema, { io });
  return written as { type: "object" };
}

const told = (readOnlyHint: boolean) => ({
  readOnlyHint,
  destructiveHint: !readOnlyHint,
  idempotentHint: true,
  openWorldHint: false,
});

function tool<I extends z.ZodType, O extends z.ZodType>(
  name: string,
  {
    permission,
    input,
    output,
    ...shown
  }: { permission: Permission; title: string; description: string; input: I; output: O },
) {
  const listed = {
    ...{ name, ...shown, annotations: { title: shown.title, ...told(permission === "document.read") } },
    ...{ inputSchema: jsonSchemaOf(input, "input"), outputSchema: jsonSchemaOf(output, "output") },
  };
  return { permission, input, listed };
}

export const tools = {
  search: tool("search", {
    ...{ permission: "document.read", title: "Search documents", input: searchInput, output: searchOutput },
    description:
      "Finds the pieces of the organisation's documents that answer a question best, by meaning and by words.",
  }),
  fetch: tool("fetch", {
    ...{ permission: "document.read", title: "Read a document", input: fetchInput, output: fetchOutput },
    description: `Answers a document with its text, ${PAGE_CHARS} characters at once if not said otherwise; \`next\` is the offset of the rest.`,
  }),
  ingest: tool("ingest", {
    ...{ permission: "document.write", title: "Store a document", input: ingestInput, output: ingestOutput },
    description: "Stores a text as a document, or replaces the one of the same source. It can be found a moment later.",
  }),
} as const;

export type ToolName = keyof typeof tools;

export const isToolName = (name: string): name is ToolName => Object.hasOwn(tools, name);

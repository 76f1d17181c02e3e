// The OpenAPI document of a small app: every place a field can travel, validation as keywords, names that collide.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parseApp } from "../../parse";
import { Scratch } from "../../parse/__tests__/case-app";
import { openapi } from "../openapi";

interface Document {
  openapi: string;
  paths: Record<
    string,
    Record<
      string,
      {
        operationId: string;
        tags: string[];
        summary?: string;
        parameters: unknown[];
        requestBody?: unknown;
        responses: Record<string, unknown>;
        security?: unknown;
      }
    >
  >;
  components: {
    schemas: Record<string, unknown>;
    securitySchemes?: Record<string, unknown>;
    responses: Record<string, unknown>;
  };
}

const FILES = {
  "auth/auth.ts": `import { Gateway, type Header } from "encore.dev/api";
import { authHandler } from "encore.dev/auth";
interface Params { token: Header<"Authorization"> }
interface Data { userID: string }
export const auth = authHandler<Params, Data>(async () => ({ userID: "u" }));
export const gateway = new Gateway({ authHandler: auth });
`,
  "shop/api.ts": `import { api, type Header, type Query, type Cookie, type HttpStatus } from "encore.dev/api";
import type { IsEmail, MatchesRegexp, MaxLen, Min, MinLen } from "encore.dev/validate";
/** What is sold. */
interface Item { id: string; price: number & Min<0>; tags: string[] & MaxLen<5>; parts?: Item[] }
interface Create { shop: string; key: Header<"Idempotency-Key">; dry?: Query<boolean>; sid: Cookie<"sid">; name: string & MinLen<1> & MaxLen<80>; mail: string & IsEmail; code: string & MatchesRegexp<"^[a-z]+$">; kind: "a" | "b"; item: Item }
interface Created { status: HttpStatus; location: Header<"Location">; item: Item }
/** Adds an item. */
export const create = api({ expose: true, auth: true, method: "POST", path: "/shops/:shop/items" }, async (_p: Create): Promise<Created> => { throw new Error("x"); });
export const list = api({ expose: true, method: "GET", path: "/items" }, async (_p: { after?: string; limit: number }): Promise<{ items: Item[]; at: Date }> => { throw new Error("x"); });
export const files = api.raw({ expose: true, method: ["GET", "PUT"], path: "/files/*path" }, async (_req, res) => { res.end(); });
export const internal = api({ method: "GET", path: "/internal" }, async (): Promise<void> => {});
`,
  "stock/api.ts": `import { api } from "encore.dev/api";
interface Item { sku: string }
export const stock = api({ expose: true, method: "GET", path: "/stock" }, async (): Promise<{ item: Item | null; by: Record<string, Item> }> => { throw new Error("x"); });
`,
};

const scratch = new Scratch();
let document: Document;

beforeAll(() => {
  const result = parseApp(scratch.fromFiles(FILES));
  if (!result.ok) throw new Error(JSON.stringify(result.errors));
  document = openapi(result.model, { title: "Shop", version: "1.2.3" }) as Document;
});
afterAll(() => scratch.dispose());

describe("the OpenAPI document", () => {
  it("lists exposed endpoints only, by path and method", () => {
    const operations = Object.entries(document.paths).map(([path, item]) => `${path} ${Object.keys(item).join(",")}`);
    expect(operations.sort()).toEqual([
      "/files/{path} get,put",
      "/items get",
      "/shops/{shop}/items post",
      "/stock get",
    ]);
  });

  it("puts every field of a request where it travels", () => {
    const post = document.paths["/shops/{shop}/items"]?.post;
    expect(post?.parameters).toEqual([
      { name: "shop", in: "path", required: true, schema: { type: "string" } },
      { name: "Idempotency-Key", in: "header", required: true, schema: { type: "string" } },
      { name: "dry", in: "query", required: false, schema: { type: "boolean" } },
      { name: "sid", in: "cookie", required: true, schema: { type: "string" } },
    ]);
    expect(post?.requestBody).toMatchObject({
      required: true,
      content: { "application/json": { schema: { required: ["name", "mail", "code", "kind", "item"] } } },
    });
    expect(document.paths["/items"]?.get?.parameters).toEqual([
      { name: "after", in: "query", required: false, schema: { type: "string" } },
      { name: "limit", in: "query", required: true, schema: { type: "number" } },
    ]);
  });

  it("names what middlewares read at the endpoints it is for, and not again where an endpoint declares it", () => {
    const named = (endpointTag?: string): Record<string, string[]> => {
      const result = parseApp(scratch.fromFiles(FILES));
      if (!result.ok) throw new Error(JSON.stringify(result.errors));
      for (const { endpoints } of result.model.services)
        for (const endpoint of endpoints) if (endpoint.name === "list" && endpointTag) endpoint.tags = [endpointTag];
      const headers = [
        { name: "idempotency-key", description: "declared by create", auth: true },
        { name: "X-Place", description: "where", auth: true },
        { name: "X-Once", description: "once", tag: "once" },
      ];
      const { paths } = openapi(result.model, { title: "Shop", version: "1", headers }) as Document;
      return Object.fromEntries(
        Object.entries(paths).map(([path, item]) => [
          path,
          Object.values(item).flatMap(({ parameters }) =>
            (parameters as { in: string; name: string }[]).flatMap((p) => (p.in === "header" ? [p.name] : [])),
          ),
        ]),
      );
    };
    const expected = { "/shops/{shop}/items": ["Idempotency-Key", "X-Place"], "/files/{path}": [], "/stock": [] };
    expect(named()).toEqual({ ...expected, "/items": [] });
    expect(named("once")).toEqual({ ...expected, "/items": ["X-Once"] });
  });

  it("says of endpoints that fail in another form how, and that they ask for a caller", () => {
    const result = parseApp(scratch.fromFiles(FILES));
    if (!result.ok) throw new Error(JSON.stringify(result.errors));
    for (const { endpoints } of result.model.services)
      for (const endpoint of endpoints) endpoint.tags = endpoint.name === "list" ? ["refuses:odd"] : [];
    const errors = [{ name: "OddError", tag: "refuses:odd", schema: { type: "string" } }];
    const odd = openapi(result.model, { title: "Shop", version: "1", errors }) as Document;
    const at = (path: string) => odd.paths[path]!.get!;
    expect(at("/items").responses.default).toEqual({ $ref: "#/components/responses/OddError" });
    expect(at("/items").security).toBeDefined();
    expect(at("/stock").responses.default).toEqual({ $ref: "#/components/responses/Error" });
    expect(odd).toMatchObject({
      components: { responses: { OddError: { content: { "application/json": { schema: { type: "string" } } } } } },
    });
  });

  it("writes validation as keywords", () => {
    const body = document.paths["/shops/{shop}/items"]?.post?.requestBody;
    expect(body).toMatchObject({
      content: {
        "application/json": {
          schema: {
            properties: {
              name: { type: "string", minLength: 1, maxLength: 80 },
              mail: { type: "string", format: "email" },
              code: { type: "string", pattern: "^[a-z]+$" },
              kind: { type: "string", enum: ["a", "b"] },
              item: { $ref: "#/components/schemas/Item" },
            },
          },
        },
      },
    });
    expect(document.components.schemas.Item).toMatchObject({
      description: "What is sold.",
      required: ["id", "price", "tags"],
      properties: {
        price: { type: "number", minimum: 0 },
        tags: { type: "array", maxItems: 5 },
        parts: { items: { $ref: "#/components/schemas/Item" } },
      },
    });
  });

  it("keeps types of the same name apart", () => {
    expect(document.components.schemas.stock_Item).toMatchObject({ required: ["sku"] });
    expect(document.paths["/stock"]?.get?.responses["200"]).toMatchObject({
      content: {
        "application/json": {
          schema: { properties: { item: { anyOf: [{ $ref: "#/components/schemas/stock_Item" }, { type: "null" }] } } },
        },
      },
    });
  });

  it("says what the response carries besides its body, and how errors look", () => {
    const responses = document.paths["/shops/{shop}/items"]?.post?.responses;
    expect(responses).not.toHaveProperty("200");
    expect(responses?.["2XX"]).toMatchObject({
      headers: { Location: { schema: { type: "string" } } },
      content: { "application/json": { schema: { required: ["item"] } } },
    });
    expect(responses?.default).toEqual({ $ref: "#/components/responses/Error" });
    expect(document.components.schemas.APIError).toMatchObject({ required: ["code", "message"] });
  });

  it("carries docs, tags by service and the auth handler's scheme", () => {
    const post = document.paths["/shops/{shop}/items"]?.post;
    expect(post).toMatchObject({
      operationId: "shop.create",
      tags: ["shop"],
      summary: "Adds an item.",
      security: [{ auth: [] }],
    });
    expect(document.components.securitySchemes).toEqual({ auth: { type: "http", scheme: "bearer" } });
    expect(document.paths["/items"]?.get?.security).toBeUndefined();
  });
});

// The same three routes on Fastify 5, for comparison: with JSON schemas and an AsyncLocalStorage request context,
// as a service would run it, or bare. A program of its own, so that its start and its memory are Fastify's alone: bench.ts
// gives the variant as JSON in BENCH_FASTIFY.
import { AsyncLocalStorage } from "node:async_hooks";
import Fastify, { type FastifyInstance } from "fastify";

export interface FastifyVariant {
  schema: boolean;
  logging: boolean;
  port: number;
}

const text = { type: "string" };
const item = {
  params: { type: "object", properties: { id: text }, required: ["id"] },
  response: {
    200: {
      type: "object",
      properties: {
        id: text,
        name: text,
        price: { type: "number" },
        inStock: { type: "boolean" },
        tags: { type: "array", items: text },
      },
    },
  },
};
const line = {
  type: "object",
  required: ["sku", "quantity"],
  properties: {
    sku: { type: "string", minLength: 1, maxLength: 64 },
    quantity: { type: "number", minimum: 1, maximum: 1000 },
    note: { type: "string", maxLength: 200 },
  },
};
const order = {
  body: {
    type: "object",
    required: ["customer", "lines", "express"],
    properties: {
      customer: {
        type: "object",
        required: ["name", "email"],
        properties: {
          name: { type: "string", minLength: 1, maxLength: 100 },
          email: { type: "string", maxLength: 200 },
        },
      },
      lines: { type: "array", items: line },
      express: { type: "boolean" },
    },
  },
  response: { 200: { type: "object", properties: { id: text, lines: { type: "number" }, total: { type: "number" } } } },
};
const me = { params: item.params, response: { 200: { type: "object", properties: { user: text } } } };

interface Order {
  lines: { quantity: number }[];
}

function routes(app: FastifyInstance, schema: boolean): void {
  const opt = (s: object): { schema?: object } => (schema ? { schema: s } : {});
  app.get<{ Params: { id: string } }>("/items/:id", opt(item), async (req) => ({
    id: req.params.id,
    name: "A thing",
    price: 12.5,
    inStock: true,
    tags: ["one", "two"],
  }));
  app.post<{ Body: Order }>("/orders", opt(order), async (req) => ({
    id: "o-1",
    lines: req.body.lines.length,
    total: req.body.lines.reduce((sum, l) => sum + l.quantity, 0),
  }));
  app.register(async (scope) => {
    scope.decorateRequest("caller", null);
    scope.addHook("onRequest", async (req, reply) => {
      if (req.headers.authorization !== "Bearer secret") await reply.code(401).send({ code: "unauthenticated" });
      (req as { caller?: object }).caller = { userID: "u-1", role: "admin" };
    });
    scope.addHook("preHandler", async (req) => {
      (req as { seen?: string }).seen = "yes";
    });
    scope.get<{ Params: { id: string } }>("/me/:id", opt(me), async (req) => ({ user: req.params.id }));
  });
}

async function serveFastify({ schema, logging, port }: FastifyVariant): Promise<void> {
  const app = Fastify({ logger: logging ? { level: "info" } : false });
  if (schema) {
    const context = new AsyncLocalStorage<object>();
    app.addHook("onRequest", (req, _reply, done) => context.run({ id: req.id }, done));
  }
  routes(app, schema);
  await app.listen({ port, host: "127.0.0.1" });
}

await serveFastify(JSON.parse(process.env.BENCH_FASTIFY ?? "") as FastifyVariant);

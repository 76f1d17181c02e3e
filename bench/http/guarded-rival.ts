// The guarded endpoint as a service on Fastify 5 would have it, from the packages one would take: `@fastify/jwt` with its token
// cache, three `rate-limiter-flexible` counters in memory, `@fastify/helmet`, prom-client, an AsyncLocalStorage request context.
// A program of its own: prints `serving http://127.0.0.1:PORT` and the access token to send, as one JSON line.
import helmet from "@fastify/helmet";
import jwt from "@fastify/jwt";
import Fastify, { type FastifyReply, type FastifyRequest } from "fastify";
import { AsyncLocalStorage } from "node:async_hooks";
import { generateKeyPairSync, randomUUID } from "node:crypto";
import type { AddressInfo } from "node:net";
import { Counter, Histogram } from "prom-client";
import { RateLimiterMemory } from "rate-limiter-flexible";

interface Claims {
  sub: string;
  tenant: string;
  role: string;
  sid: string;
  jti: string;
}

declare module "@fastify/jwt" {
  interface FastifyJWT {
    payload: Claims;
    user: Claims;
  }
}

interface Context {
  requestId: string;
  caller: Claims;
}

const LIFETIME_SECONDS = 900;
const issuer = "groundwork";
const audience = "groundwork-api";

/** The `search` policy, so far above what a benchmark sends that nothing is refused. */
const SCALE = 1_000_000;
const limiter = (dimension: string, points: number): RateLimiterMemory =>
  new RateLimiterMemory({ keyPrefix: `limit:search:${dimension}`, points: points * SCALE, duration: 60 });
const byIp = limiter("ip", 1200);
const byUser = limiter("user", 600);
const byTenant = limiter("tenant", 6000);

const granted: Record<string, ReadonlySet<string>> = {
  owner: new Set(["document.read", "document.write", "document.delete"]),
  viewer: new Set(["document.read"]),
};

const requests = new Counter({
  name: "http_requests_total",
  help: "Requests answered, by method, route and status",
  labelNames: ["method", "route", "status"],
});
const durations = new Histogram({
  name: "http_request_duration_seconds",
  help: "Time to answer, by method and route",
  labelNames: ["method", "route"],
  buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
});

const context = new AsyncLocalStorage<Context>();
const app = Fastify({ logger: false });

async function registerParts(): Promise<void> {
  const { privateKey, publicKey } = generateKeyPairSync("ed25519", {
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  });
  await app.register(jwt, {
    secret: { private: privateKey, public: publicKey },
    sign: { algorithm: "EdDSA", iss: issuer, aud: audience, expiresIn: LIFETIME_SECONDS * 1000 },
    verify: {
      algorithms: ["EdDSA"],
      allowedIss: issuer,
      allowedAud: audience,
      requiredClaims: ["exp", "iat", "sub", "tenant", "role", "sid"],
      cache: true,
    },
  });
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        "default-src": ["'none'"],
        "frame-ancestors": ["'none'"],
        "base-uri": ["'none'"],
        "form-action": ["'none'"],
      },
    },
    strictTransportSecurity: { maxAge: 31_536_000, includeSubDomains: true },
    xFrameOptions: { action: "deny" },
    referrerPolicy: { policy: "no-referrer" },
    crossOriginResourcePolicy: { policy: "same-origin" },
  });
}

function enterContext(request: FastifyRequest, _reply: FastifyReply, done: () => void): void {
  context.run({ requestId: request.id, caller: request.user }, done);
}

async function countCaller(request: FastifyRequest): Promise<void> {
  const { sub, tenant } = request.user;
  await Promise.all([byIp.consume(request.ip), byUser.consume(sub), byTenant.consume(tenant)]);
}

const allow =
  (permission: string) =>
  async ({ user }: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    if (granted[user.role]?.has(permission) === true) return undefined;
    return reply.code(403).send({ code: "permission_denied" });
  };

const text = { type: "string" };
const schema = {
  params: { type: "object", properties: { id: { type: "string", minLength: 1 } }, required: ["id"] },
  querystring: { type: "object", properties: { k: { type: "number", minimum: 1, maximum: 50 } } },
  response: { 200: { type: "object", properties: { id: text, owner: text } } },
};

function serveRoute(): void {
  app.addHook("onResponse", async ({ method, routeOptions }, reply) => {
    const route = routeOptions.url ?? "";
    requests.inc({ method, route, status: reply.statusCode });
    durations.observe({ method, route }, reply.elapsedTime / 1000);
  });
  app.get<{ Params: { id: string } }>(
    "/guarded/:id",
    {
      schema,
      onRequest: [(request) => request.jwtVerify(), enterContext],
      preHandler: [countCaller, allow("document.read")],
    },
    async (request, reply) => {
      reply.header("cache-control", "no-store");
      return { id: request.params.id, owner: context.getStore()?.caller.tenant };
    },
  );
}

await registerParts();
serveRoute();
await app.listen({ port: 0, host: "127.0.0.1" });
const token = app.jwt.sign({
  sub: randomUUID(),
  tenant: randomUUID(),
  role: "owner",
  sid: randomUUID(),
  jti: randomUUID(),
});
process.stdout.write(
  `${JSON.stringify({ token })}\nserving http://127.0.0.1:${(app.server.address() as AddressInfo).port}\n`,
);

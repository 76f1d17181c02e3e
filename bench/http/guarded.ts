// Measures what the guard costs: an endpoint of the real app behind everything (token, permission, limits, headers, metrics,
// tenant), the same endpoint bare, and a Fastify 5 that does what the guard does. Each run has a process of its own, in turn:
// `node scripts/run-ts.mjs bench/http/guarded.ts [rounds] [seconds] [--node PATH]`, where PATH is the Node that serves.
// A report, never a test.
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../../runtime/http/__tests__/support/repository-root";
import { copyOfApp } from "../app-copy";
import { accessToken, apiKey, serve, serveApp } from "./guarded-app";
import { measureAnew, type Startable, type Target } from "./measure";
import { buildProgram } from "./rival-program";

const { positionals, values } = parseArgs({ allowPositionals: true, options: { node: { type: "string" } } });
const [rounds = 5, seconds = 3] = positionals.map(Number);
/** Of the token's requests per second, those by an API key: less ends the run with 1. */
const KEY_SHARE_MIN = 0.8;

const guardedRequest = (token: string): Target["request"] => ({
  path: "/guarded/42?k=10",
  method: "GET",
  headers: { authorization: `Bearer ${token}` },
});

/** The app, asked with credentials that it gave. */
const guardedBy = (app: string, name: string, credentials: (port: number) => Promise<string>): Startable => ({
  name,
  async start() {
    const served = await serveApp(app, values.node);
    try {
      return { name, ...served, request: guardedRequest(await credentials(served.port)) };
    } catch (error) {
      await served.stop();
      throw error;
    }
  },
});

function programs(app: string, rival: string): Startable[] {
  return [
    guardedBy(app, "guarded", async (port) => (await accessToken(port)).accessToken),
    {
      name: "fastify 5 that does the same",
      async start() {
        const served = await serve([rival], {}, values.node);
        const { token } = JSON.parse(served.text.split("\n")[0] ?? "") as { token: string };
        return { name: "fastify", ...served, request: guardedRequest(token) };
      },
    },
    {
      name: "bare",
      start: async () => ({
        name: "bare",
        ...(await serveApp(app, values.node)),
        request: { path: "/bare/42?k=10", method: "GET" },
      }),
    },
    guardedBy(app, "guarded, by an API key", async (port) => apiKey(port, (await accessToken(port)).accessToken)),
  ];
}

const app = copyOfApp();
cpSync(join(root, "bench/http/__tests__/guarded"), app, { recursive: true });
try {
  const rival = await buildProgram("guarded-rival.ts");
  const workload = { name: "token + permission + limits + tenant", request: { path: "/", method: "GET" as const } };
  const medians = await measureAnew(programs(app, rival), workload, { rounds, seconds });
  const [guarded, , bare, byKey] = medians;
  if (guarded && bare) console.log(`  the guard costs ${(guarded.cpu - bare.cpu).toFixed(1)} µs CPU/req above bare`);
  if (guarded && byKey) {
    const share = byKey.perSecond / guarded.perSecond;
    console.log(
      `  by an API key: ${share.toFixed(2)}x of the token's requests per second (${KEY_SHARE_MIN}x at least)`,
    );
    if (share < KEY_SHARE_MIN) process.exitCode = 1;
  }
} finally {
  rmSync(app, { recursive: true, force: true });
}

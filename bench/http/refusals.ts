// What a refusal costs beside an acceptance, in the server's CPU time for one request. Two claims, and exit code 1 where one does not hold:
//   a token that an attacker makes costs less than a good one that the server sees for the first time, whose signature it has to
//   check; it costs more than one that it knows, or an API key, which is said beside it and claimed of none;
//   one of an address that has sent too many costs less than that by far (half at most): nothing of it is looked at.
// `node scripts/run-ts.mjs bench/http/refusals.ts [TOKENS] [--node PATH]`. CPU time, so a busy machine does.
import { randomBytes } from "node:crypto";
import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Pool } from "undici";
import { root } from "../../runtime/http/__tests__/support/repository-root";
import { copyOfApp } from "../app-copy";
import { accessToken, apiKey, answerOf, serveApp } from "./guarded-app";
import { cpuMicros } from "./measure";

const { positionals, values } = parseArgs({ allowPositionals: true, options: { node: { type: "string" } } });
const [tokens = 2_000] = positionals.map(Number);
const LANES = 32;
const BLOCKED_AT_MOST = 0.5;
const PATH = "/guarded/42?k=10";
const UNKNOWN = "accepted: token seen for the first time";
const KNOWN = "accepted: token seen before";
const FORGED = "refused: another signature";
const BLOCKED = "refused: an address that is blocked";

interface Round {
  name: string;
  status: number;
  /** The Authorization header of each request. */
  headers: string[];
}

interface Server {
  pool: Pool;
  pid: number;
}

/** Sends each header once. CPU microseconds of the server for one request. */
async function measure({ pool, pid }: Server, { name, status, headers }: Round): Promise<number> {
  const before = cpuMicros(pid);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < headers.length; i = next++) {
      const answer = await pool.request({
        method: "GET",
        path: PATH,
        headers: { authorization: headers[i] ?? "" },
      });
      await answer.body.text();
      if (answer.statusCode !== status) throw new Error(`${name}: answered ${answer.statusCode}, not ${status}`);
    }
  };
  await Promise.all(Array.from({ length: LANES }, lane));
  return (cpuMicros(pid) - before) / headers.length;
}

/** As many access tokens as are asked for: each refresh answers another one. */
async function manyTokens(port: number, first: { refreshToken: string }): Promise<string[]> {
  const made: string[] = [];
  for (let refreshToken = first.refreshToken; made.length < tokens;) {
    const answer = await answerOf<{ accessToken: string; refreshToken: string }>(port, "/auth/refresh", {
      refreshToken,
    });
    made.push(answer.accessToken);
    refreshToken = answer.refreshToken;
  }
  return made;
}

const bearer = (token: string): string => `Bearer ${token}`;
const times = (header: string): string[] => Array.from({ length: tokens }, () => header);
const base64url = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

function roundsOf(unseen: string[], key: string): Round[] {
  const [head = "", body = ""] = (unseen[0] ?? "").split(".");
  const header = JSON.parse(Buffer.from(head, "base64url").toString()) as Record<string, unknown>;
  const forged = (change: Record<string, unknown>): string[] =>
    unseen.map(() => bearer(`${base64url({ ...header, ...change })}.${body}.${randomBytes(64).toString("base64url")}`));
  return [
    { name: UNKNOWN, status: 200, headers: unseen.map(bearer) },
    { name: KNOWN, status: 200, headers: unseen.map(bearer) },
    { name: "accepted: API key", status: 200, headers: times(bearer(key)) },
    { name: FORGED, status: 401, headers: forged({}) },
    { name: "refused: alg none", status: 401, headers: forged({ alg: "none" }) },
    { name: "refused: HS256", status: 401, headers: forged({ alg: "HS256" }) },
    { name: "refused: a key id that nobody has", status: 401, headers: forged({ kid: "x" }) },
    { name: "refused: no token at all", status: 401, headers: times("Bearer x") },
    { name: "refused: 6 KB", status: 401, headers: times(bearer(`${"a".repeat(6_000)}.b.c`)) },
    { name: "refused: an API key that nobody has", status: 401, headers: times(bearer(`${key.slice(0, -1)}_`)) },
  ];
}

/** What each round costs, of tokens that come for the first time in `rounds`. */
async function costs(server: Server, rounds: readonly Round[]): Promise<Map<string, number>> {
  const cost = new Map<string, number>();
  for (const round of rounds) cost.set(round.name, await measure(server, round));
  return cost;
}

/** Runs `use` with a server of the app, whose limits are so many times the usual ones. */
async function serving<T>(
  app: string,
  limitScale: number,
  use: (server: Server, port: number) => Promise<T>,
): Promise<T> {
  const served = await serveApp(app, values.node, { LIMIT_SCALE: String(limitScale) });
  const pool = new Pool(`http://127.0.0.1:${served.port}`, { connections: LANES });
  try {
    return await use({ pool, pid: served.pid }, served.port);
  } finally {
    await pool.close();
    await served.stop();
  }
}

async function unlimited(server: Server, port: number): Promise<{ cost: Map<string, number>; forged: string[] }> {
  const session = await accessToken(port);
  const rounds = roundsOf(await manyTokens(port, session), await apiKey(port, session.accessToken));
  // Once for the compiler, with tokens that come again.
  const warm = rounds.filter(({ status }) => status === 401);
  for (const round of [...warm, { name: "warm", status: 200, headers: times(bearer(session.accessToken)) }])
    await measure(server, round);
  const forged = rounds.find(({ name }) => name === FORGED)?.headers ?? [];
  return { cost: await costs(server, rounds), forged };
}

/** The address has used up what it may fail; the first hundred are for that, and for the compiler. */
async function blocked(server: Server, forged: string[]): Promise<Map<string, number>> {
  for (const authorization of forged.slice(0, 100))
    await server.pool
      .request({ method: "GET", path: PATH, headers: { authorization } })
      .then(({ body }) => body.dump());
  const round = { name: BLOCKED, status: 429, headers: forged };
  // As many as the other server had answered.
  for (let n = 0; n < 10; n++) await measure(server, round);
  return costs(server, [round]);
}

const app = copyOfApp();
cpSync(join(root, "bench/http/__tests__/guarded"), app, { recursive: true });
try {
  const { cost, forged } = await serving(app, 1_000_000, unlimited);
  for (const [name, cpu] of await serving(app, 1, (server) => blocked(server, forged))) cost.set(name, cpu);
  const [unknown = NaN, known = NaN] = [cost.get(UNKNOWN), cost.get(KNOWN)];
  const failed: string[] = [];
  console.log(
    "                                             µs CPU/req   of a good token: seen for the first time, known",
  );
  for (const [name, cpu] of cost) {
    const most = name === BLOCKED ? BLOCKED_AT_MOST : 1;
    if (name.startsWith("refused") && !(cpu < most * unknown)) failed.push(`${name}: not below ${most}x`);
    const [of, ofKnown] = [(cpu / unknown).toFixed(2), (cpu / known).toFixed(2)];
    console.log(`  ${name.padEnd(42)} ${cpu.toFixed(0).padStart(8)}   ${of.padStart(20)}x ${ofKnown.padStart(10)}x`);
  }
  for (const what of failed) console.error(`does not hold: ${what} of a good token seen for the first time`);
  if (failed.length > 0) process.exitCode = 1;
} finally {
  rmSync(app, { recursive: true, force: true });
}

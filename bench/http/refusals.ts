// What a refusal costs beside an acceptance, in the server's CPU time for one request: access tokens that it sees for the first
// time and again, an API key, tokens that attackers make, and an address that has sent too many of them.
// `node scripts/run-ts.mjs bench/http/refusals.ts [TOKENS] [--node PATH]`. A report, never a test. CPU time, so a busy machine does.
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

interface Round {
  name: string;
  status: number;
  /** The Authorization header of each request. */
  headers: string[];
}

/** Sends each header once. CPU microseconds of the server for one request. */
async function measure(pool: Pool, pid: number, { name, status, headers }: Round): Promise<number> {
  const before = cpuMicros(pid);
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let i = next++; i < headers.length; i = next++) {
      const answer = await pool.request({
        method: "GET",
        path: "/guarded/42?k=10",
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
    { name: "accepted: token seen for the first time", status: 200, headers: unseen.map(bearer) },
    { name: "accepted: token seen before", status: 200, headers: unseen.map(bearer) },
    { name: "accepted: API key", status: 200, headers: times(bearer(key)) },
    { name: "refused: another signature", status: 401, headers: forged({}) },
    { name: "refused: alg none", status: 401, headers: forged({ alg: "none" }) },
    { name: "refused: HS256", status: 401, headers: forged({ alg: "HS256" }) },
    { name: "refused: a key id that nobody has", status: 401, headers: forged({ kid: "x" }) },
    { name: "refused: no token at all", status: 401, headers: times("Bearer x") },
    { name: "refused: 6 KB", status: 401, headers: times(bearer(`${"a".repeat(6_000)}.b.c`)) },
    { name: "refused: an API key that nobody has", status: 401, headers: times(bearer(`${key.slice(0, -1)}_`)) },
  ];
}

const app = copyOfApp();
cpSync(join(root, "bench/http/__tests__/guarded"), app, { recursive: true });
const served = await serveApp(app, values.node);
const pool = new Pool(`http://127.0.0.1:${served.port}`, { connections: LANES });
try {
  const session = await accessToken(served.port);
  const rounds = roundsOf(await manyTokens(served.port, session), await apiKey(served.port, session.accessToken));
  // Once for the compiler, with tokens that come again.
  const warm = rounds.filter(({ status }) => status === 401);
  for (const round of [...warm, { name: "warm", status: 200, headers: times(bearer(session.accessToken)) }])
    await measure(pool, served.pid, round);
  let accepting = Number.NaN;
  for (const round of rounds) {
    const cpu = await measure(pool, served.pid, round);
    if (Number.isNaN(accepting)) accepting = cpu;
    console.log(
      `  ${round.name.padEnd(42)} ${cpu.toFixed(0).padStart(5)} µs CPU/req   ${(cpu / accepting).toFixed(2)}x of accepting it`,
    );
  }
} finally {
  await pool.close();
  await served.stop();
  rmSync(app, { recursive: true, force: true });
}

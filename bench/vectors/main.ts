// Search by meaning and by words for organisations of every share: `npm run bench:vectors -- postgresql://… [--chunks 100000]
// [--queries 100] [--seed N]`, a superuser's address of a native Postgres, on which a database is made and dropped. The largest
// organisation has `--chunks` chunks (3,000 if not said: a minute), 60 % of all; the others share the rest, down to 0.01 %. Asked
// as the app asks, by a login that row security binds, the token and the statement in one message; and beside it, in turns in
// the same run, the same by a superuser whom it does not bind. A report, never a test.
import { parseArgs } from "node:util";
import pg from "pg";
import { admitSystem, admitTenant, useMasterKey } from "../../db/capability";
import { sendPipelined } from "../../db/pipeline";
import { scopeStatement } from "../../db/scope";
import { toVector } from "../../db/vector";
import { createRandom } from "../../runtime/__tests__/whole-app/support/fuzz/random";
import { CANDIDATES, EXACT_UP_TO, searchStatement } from "../../vectors/store/search-statement";
import { fill, MODEL, SHARES, tenantAt, type Corpus } from "./corpus";

const LOGIN = "bench_vectors";
const STATEMENT_TIMEOUT_MS = 60_000;
const TOP = 10;

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    chunks: { type: "string", default: "3000" },
    queries: { type: "string", default: "100" },
    seed: { type: "string", default: "20261129" },
  },
});

interface Way {
  name: string;
  ask: (sql: string, params: unknown[], tenant: number) => Promise<Record<string, unknown>[]>;
}

interface Question {
  sql: string;
  params: unknown[];
}

const say = (text: string): void => void process.stdout.write(`${text}\n`);
const quantile = (sorted: readonly number[], q: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
const ms = (time: number): string => time.toFixed(1).padStart(7);

/** Each question by each way, in turns; milliseconds by way, sorted, and the answers. */
async function inTurns(ways: readonly Way[], tenant: number, questions: readonly Question[]) {
  const times = ways.map((): number[] => []);
  const answers: Record<string, unknown>[][] = [];
  for (const { sql, params } of [...questions.slice(0, 5), ...questions]) {
    for (const [at, { ask }] of ways.entries()) {
      const startedAt = performance.now();
      const rows = await ask(sql, params, tenant);
      times[at]?.push(performance.now() - startedAt);
      if (at === 0) answers.push(rows);
    }
  }
  // The first five warm up.
  return {
    times: times.map((of) => of.slice(5).sort((a, b) => a - b)),
    answers: answers.slice(5),
  };
}

function report(name: string, ways: readonly Way[], times: readonly number[][], more = ""): void {
  const figures = ways.map(
    (way, at) => `${way.name} p50 ${ms(quantile(times[at] ?? [], 0.5))} p95 ${ms(quantile(times[at] ?? [], 0.95))} ms`,
  );
  const ratio = quantile(times[0] ?? [], 0.5) / quantile(times[1] ?? [], 0.5);
  say(`${name.padEnd(34)} ${figures.join("   ")}${times.length > 1 ? `   ${ratio.toFixed(2)}×` : ""}${more}`);
}

/** Nearest contents of each organisation: recall against comparing all, and times. */
async function measureShares(ways: readonly Way[], owner: pg.Pool, corpus: Corpus, count: number): Promise<void> {
  for (const [tenant, { share, held }] of corpus.tenants.entries()) {
    const vectors = corpus.questionsFor(tenant, count).map(toVector);
    const questions = vectors.map((vector) => ({
      sql: "select encode(content_hash, 'hex') as hash, by_graph from vectors.nearest($1, $2, $3::vector, $4, $5, null)",
      params: [tenantAt(tenant), MODEL, vector, EXACT_UP_TO, CANDIDATES],
    }));
    const { times, answers } = await inTurns(ways, tenant, questions);
    let found = 0;
    let wanted = 0;
    for (const [at, vector] of vectors.entries()) {
      const { rows } = await owner.query<{ hash: string }>(
        `select encode(content_hash, 'hex') as hash from vectors.embedding where tenant_id = $1
         order by (embedding <=> $2::vector) + 0 limit ${TOP}`,
        [tenantAt(tenant), vector],
      );
      const hashes = new Set((answers[at] ?? []).slice(0, TOP).map(({ hash }) => hash));
      found += rows.filter(({ hash }) => hashes.has(hash)).length;
      wanted += rows.length;
    }
    const plan = answers.some((rows) => rows[0]?.by_graph === true) ? "graph" : "exact";
    const recall = `   recall@${TOP} ${(found / wanted).toFixed(3)}  ${plan}`;
    report(`vector, ${(share * 100).toFixed(2)} % (${held} chunks)`, ways, times, recall);
  }
}

const BEFORE = `
select c.content_hash, max(ts_rank_cd(c.search, q)) as weight from vectors.chunk c, websearch_to_tsquery('english', $2) q
where c.tenant_id = $1 and c.search @@ q group by c.content_hash order by weight desc limit 60`;

async function measureWords(ways: readonly Way[], corpus: Corpus, count: number): Promise<void> {
  const [app] = ways;
  if (app === undefined) return;
  const words = corpus.wordQuestions(count);
  const askedOf = (texts: readonly string[]): Question[] =>
    texts.map((text) => ({ sql: "select * from vectors.find_words($1, null, 300, 60)", params: [text] }));
  report("words, by index", [app], (await inTurns([app], 0, askedOf(words))).times);
  const unmet = askedOf(corpus.unmetQuestions(count));
  report("words that never all meet", [app], (await inTurns([app], 0, unmet)).times);
  const before = words.slice(0, 20).map((text) => ({ sql: BEFORE, params: [tenantAt(0), text] }));
  const { times } = await inTurns(ways, 0, before);
  report("words, as before the index", ways, times);
}

async function measureWhole(ways: readonly Way[], corpus: Corpus, count: number): Promise<void> {
  const vectors = corpus.questionsFor(0, count);
  for (const mode of ["hybrid", "vector", "words"] as const) {
    const questions = corpus.wordQuestions(count).map((text, at) => {
      const { text: sql, values: params } = searchStatement(tenantAt(0), {
        text,
        model: MODEL,
        vector: mode === "words" ? null : (vectors[at] ?? null),
        hasWords: mode !== "vector",
        filter: {},
        limit: 11,
        after: null,
      });
      return { sql, params };
    });
    report(`search, ${mode}, 10 results`, ways.slice(0, 1), (await inTurns(ways.slice(0, 1), 0, questions)).times);
  }
}

async function main(url: string): Promise<void> {
  const name = `bench_vectors_${process.pid}`;
  const server = new pg.Pool({ connectionString: url, max: 1 });
  await server.query(`create database ${name}`);
  const at = (user?: string): string =>
    Object.assign(new URL(url), {
      pathname: `/${name}`,
      ...(user === undefined ? {} : { username: user, password: user }),
    }).href;
  const owner = new pg.Pool({ connectionString: at(), max: 2 });
  const app = new pg.Pool({ connectionString: at(LOGIN), max: 1 });
  try {
    const corpus = await fill(owner, { chunks: Number(values.chunks), random: createRandom(Number(values.seed)), say });
    await owner.query(`create role ${LOGIN} login password '${LOGIN}'; grant pg_read_all_data to ${LOGIN}`);
    useMasterKey(() => "the-master-key-of-a-benchmark-protects-nothing");
    const client = await owner.connect();
    await admitSystem(client);
    client.release();
    for (const tenant of SHARES.keys()) await admitTenant(owner, tenantAt(tenant), () => owner.connect());
    const connection = await app.connect();
    const ways: Way[] = [
      {
        name: "app",
        ask: async (sql, params, tenant) => {
          const scope = scopeStatement(
            { kind: "tenant", tenantId: tenantAt(tenant) },
            { role: null },
            STATEMENT_TIMEOUT_MS,
          );
          const results = await sendPipelined(connection, [scope, { text: sql, values: params }], true);
          return results[1]?.rows ?? [];
        },
      },
      {
        name: "without row security",
        ask: async (sql, params) => (await owner.query<Record<string, unknown>>(sql, params)).rows,
      },
    ];
    await measureShares(ways, owner, corpus, Number(values.queries));
    await measureWords(ways, corpus, Number(values.queries));
    await measureWhole(ways, corpus, Number(values.queries));
    connection.release();
  } finally {
    await app.end();
    await owner.end();
    await server.query(`drop database if exists ${name} with (force)`);
    await server.query(`drop role if exists ${LOGIN}`);
    await server.end();
  }
}

const [url] = positionals;
if (url === undefined) {
  process.stderr.write(
    "usage: npm run bench:vectors -- postgresql://user:password@host/database [--chunks 100000] [--queries 100]\n",
  );
  process.exitCode = 2;
} else await main(url);

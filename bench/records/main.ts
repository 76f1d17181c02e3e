// Records beside the requirement's own choice (rival.ts: Fastify, Knex, ioredis, @fastify/rate-limit), on one Postgres and one Redis, with the
// same 100,000 products: `npm run bench:records -- URL REDIS_URL [ROUNDS] [SECONDS]`, a superuser's address of a server, where a database is
// made and dropped, and of an empty Redis, which is emptied afterwards. In turns, so that a busy machine slows both alike. A report, never a test.
import autocannon from "autocannon";
import { Redis } from "ioredis";
import { rmSync } from "node:fs";
import pg from "pg";
import { copyOfApp } from "../app-copy";
import { accessToken, serve, serveApp, type Served } from "../http/guarded-app";
import { cpuMicros, median } from "../http/measure";
import { buildProgram } from "../http/rival-program";

const [url, redisUrl, rounds = 3, seconds = 4] = process.argv.slice(2);
if (url === undefined || redisUrl === undefined)
  throw new Error("usage: npm run bench:records -- URL REDIS_URL [ROUNDS] [SECONDS]");
const PRODUCTS = 100_000;
const CONNECTIONS = 32;
const WARM_SECONDS = 2;

interface Asked {
  method: "GET" | "POST" | "PATCH";
  path: string;
  body?: object;
}

interface Side {
  name: string;
  served: Served;
  token: string;
}

let made = 0;
const pick = <T>(values: readonly T[]): T => values[Math.floor(Math.random() * values.length)]!;

interface Workload {
  name: string;
  ours: (ids: readonly string[]) => Asked;
  rival: (ids: readonly string[]) => Asked;
  /** Whether the rival keeps what it reads. */
  isCached: boolean;
}

const path = "/api/v1/products";
const from = (): number => Math.floor(Math.random() * (PRODUCTS - 5_000));
const byId = (ids: readonly string[]): Asked => ({ method: "GET", path: `${path}/${pick(ids)}` });
const create = (): Asked => {
  const sku = `bench-${process.pid}-${++made}`;
  return { method: "POST", path, body: { sku, name: "Tea", priceMinor: 450, currency: "EUR", stock: 1 } };
};
const change = (ids: readonly string[]): Asked => ({
  method: "PATCH",
  path: `${path}/${pick(ids)}`,
  body: { priceMinor: Math.floor(Math.random() * PRODUCTS) },
});

const workloads: readonly Workload[] = [
  {
    name: "list with filter and sort, 50 of 100,000",
    ours: () => {
      const low = from();
      const query = `priceMinor=gte.${low}&priceMinor=lt.${low + 5_000}&sort=-priceMinor&limit=50`;
      return { method: "GET", path: `${path}?${query}` };
    },
    rival: () => {
      const low = from();
      return { method: "GET", path: `${path}?minPrice=${low}&maxPrice=${low + 5_000}&sort=-priceMinor&limit=50` };
    },
    isCached: true,
  },
  { name: "read by id, nothing kept", ours: byId, rival: byId, isCached: false },
  {
    name: "read by id, of a hundred, which the rival keeps",
    ours: (ids) => byId(ids.slice(0, 100)),
    rival: (ids) => byId(ids.slice(0, 100)),
    isCached: true,
  },
  { name: "create", ours: create, rival: create, isCached: true },
  { name: "PATCH", ours: change, rival: change, isCached: true },
];

interface Sample {
  perSecond: number;
  p99Ms: number;
  cpuMicros: number;
}

async function run({ served, token, name }: Side, ask: () => Asked, forSeconds: number): Promise<Sample> {
  const before = cpuMicros(served.pid);
  const result = await autocannon({
    url: `http://127.0.0.1:${served.port}`,
    connections: CONNECTIONS,
    duration: forSeconds,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    requests: [
      {
        setupRequest: (request) => {
          const { method, path: asked, body } = ask();
          return { ...request, method, path: asked, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
        },
      },
    ],
  });
  const wrong = result.non2xx + result.errors;
  if (wrong > 0) throw new Error(`${name}: ${wrong} of ${result.requests.total} answers were wrong`);
  const cpu = (cpuMicros(served.pid) - before) / result.requests.total;
  return { perSecond: result.requests.average, p99Ms: result.latency.p99, cpuMicros: cpu };
}

const shown = (name: string, samples: readonly Sample[]): Sample => {
  const of = (key: keyof Sample): number => median(samples.map((sample) => sample[key]));
  const all = { perSecond: of("perSecond"), p99Ms: of("p99Ms"), cpuMicros: of("cpuMicros") };
  const { perSecond, p99Ms, cpuMicros: cpu } = all;
  console.log(
    `  ${name.padEnd(10)} ${perSecond.toFixed(0).padStart(7)} req/s  p99 ${p99Ms.toFixed(0).padStart(4)} ms  ${cpu.toFixed(0).padStart(5)} µs CPU/req`,
  );
  return all;
};

async function measure(
  { name, ...asks }: Workload,
  [ours, rival]: readonly [Side, Side],
  ids: readonly string[],
): Promise<void> {
  const runs = [
    { side: ours, ask: () => asks.ours(ids), samples: [] as Sample[] },
    { side: rival, ask: () => asks.rival(ids), samples: [] as Sample[] },
  ];
  for (const { side, ask } of runs) await run(side, ask, WARM_SECONDS);
  for (let round = 0; round < Number(rounds); round++)
    for (const { side, ask, samples } of round % 2 === 0 ? runs : [...runs].reverse())
      samples.push(await run(side, ask, Number(seconds)));
  console.log(`\n${name}`);
  const [mine, theirs] = runs.map(({ side, samples }) => shown(side.name, samples)) as [Sample, Sample];
  console.log(
    `  ours: ${(mine.perSecond / theirs.perSecond).toFixed(2)}x req/s, CPU ${(theirs.cpuMicros / mine.cpuMicros).toFixed(2)}x, p99 ${(mine.p99Ms / theirs.p99Ms).toFixed(2)}x of the rival's`,
  );
}

/** The same products for both, with the indexes that both need. Resolves with ids of some. */
async function fill(client: pg.Client, tenantId: string): Promise<string[]> {
  await client.query(
    `insert into records.product (tenant_id, id, sku, name, price_minor, currency, stock, created_at, updated_at)
     select $1, gen_random_uuid(), 'sku-' || n, 'Tea number ' || n, n, 'EUR', 100, now() - n * interval '1 second', now() from generate_series(1, ${PRODUCTS}) n`,
    [tenantId],
  );
  await client.query(
    `create schema bench_records;
     create table bench_records.product (like records.product including defaults, primary key (tenant_id, id));
     insert into bench_records.product select * from records.product;
     create unique index on bench_records.product (tenant_id, sku) where deleted_at is null;
     create index on bench_records.product (tenant_id, price_minor, id) where deleted_at is null;
     create index on bench_records.product (tenant_id, created_at, id) where deleted_at is null;
     create index on bench_records.product (tenant_id, name, id) where deleted_at is null;
     analyze records.product; analyze bench_records.product`,
  );
  const { rows } = await client.query<{ id: string }>(
    "select id from records.product where tenant_id = $1 order by id limit 10000",
    [tenantId],
  );
  return rows.map(({ id }) => id);
}

const closers: (() => unknown)[] = [];
try {
  const name = `bench_records_${process.pid}`;
  const redis = new Redis(redisUrl);
  closers.push(() => redis.quit());
  if ((await redis.dbsize()) > 0)
    throw new Error("the Redis at REDIS_URL has something in it: it is emptied afterwards");
  closers.push(() => redis.flushdb());
  const server = new pg.Client({ connectionString: url });
  await server.connect();
  closers.push(() => server.end());
  await server.query(`create database ${name}`);
  closers.push(() => server.query(`drop database ${name} with (force)`));
  const env = { DATABASE_URL: Object.assign(new URL(url), { pathname: name }).href, REDIS_URL: redisUrl };
  const app = copyOfApp();
  closers.push(() => rmSync(app, { recursive: true, force: true }));
  const masterKey = "the-master-key-of-a-benchmark-protects-nothing";
  const served = await serveApp(app, undefined, { ...env, MasterKey: masterKey });
  closers.push(() => served.stop());
  const { accessToken: token } = await accessToken(served.port);
  const client = new pg.Client({ connectionString: env.DATABASE_URL });
  await client.connect();
  closers.push(() => client.end());
  const [organisation] = (await client.query<{ id: string }>("select id from auth.organisation")).rows;
  const tenantId = organisation!.id;
  const ids = await fill(client, tenantId);
  const program = await buildProgram("../records/rival.ts");
  const rivalOf = async (cache: string): Promise<Side> => {
    const rival = await serve([program], { ...env, TENANT: tenantId, CACHE: cache });
    closers.push(() => rival.stop());
    return {
      name: "rival",
      served: rival,
      token: (JSON.parse(rival.text.split("\n")[0] ?? "") as { token: string }).token,
    };
  };
  const ours = { name: "ours", served, token };
  const [keeping, reading] = [await rivalOf("on"), await rivalOf("off")];
  console.log(`${PRODUCTS} products, ${rounds} runs of ${seconds} s each, in turns, ${CONNECTIONS} connections`);
  for (const workload of workloads) await measure(workload, [ours, workload.isCached ? keeping : reading], ids);
} finally {
  for (const close of closers.reverse()) await close();
}

// SIGTERM under load: whoever sends again only what certainly got no answer loses nothing and does nothing twice,
// over any number of restarts. Long, therefore beside the suites that need native servers.
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { randomFrom } from "../../pubsub/__tests__/support/seed";
import { prepareApp, type AppProcess, type PreparedApp } from "./support/app-process";
import { pipeline, RetryingClient, type Answer, type Job } from "./support/retrying-client";

const RESTARTS = 20;
const REQUESTS = 10_000;
const WORKERS = 12;
const PIPELINES = 4;
/** Requests of each client that pipelines; the workers share the others. */
const PIPELINED = 500;
const SEED = 20_261_121;

const folder = mkdtempSync(join(tmpdir(), "gw-ledger-"));
const ledger = join(folder, "ledger");
let prepared: PreparedApp;
beforeAll(async () => {
  writeFileSync(ledger, "");
  prepared = await prepareApp(join(import.meta.dirname, "../../__tests__/fixtures/ledger-app"), {
    env: { LEDGER_FILE: ledger },
  });
});
afterAll(() => {
  prepared.remove();
  rmSync(folder, { recursive: true, force: true });
});

interface Planned extends Job {
  id: string;
}

const draw = randomFrom(SEED);

/** Mostly short, some long enough to be in flight whenever the signal comes, a few uploads in pieces. */
function plan(i: number, mayUpload: boolean): Planned {
  const id = `${mayUpload ? "w" : "p"}${i}`;
  if (mayUpload && draw() < 0.15) return { id, path: "/uploads", body: [id.slice(0, 1), id.slice(1)] };
  const waitMs = draw() < 0.02 ? 150 : Math.floor(draw() * 5);
  return { id, path: "/entries", body: [JSON.stringify({ id, waitMs })] };
}

async function terminate({ child }: AppProcess): Promise<void> {
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  const [code] = await exit;
  expect(code).toBe(0);
}

/** Counts answers and tells who waits for a certain number of them. */
class Progress {
  answered = 0;
  readonly failures: string[] = [];
  private waiter: { at: number; wake: () => void } | undefined;

  note({ id, path }: Planned, { status, body }: Answer): void {
    const expected = path === "/uploads" ? id : JSON.stringify({ id });
    if (status !== 200 || body !== expected) this.failures.push(`${id}: ${status} ${body}`);
    this.answered++;
    if (this.waiter && this.answered >= this.waiter.at) this.waiter.wake();
  }

  until(at: number): Promise<void> {
    return new Promise((wake) => (this.waiter = { at, wake }));
  }
}

test(`${REQUESTS} requests over ${RESTARTS} restarts: each is answered, and none is handled twice`, async () => {
  let app = await prepared.start();
  const progress = new Progress();
  const client = new RetryingClient(prepared.port);
  const queue = Array.from({ length: REQUESTS - PIPELINES * PIPELINED }, (_, i) => plan(i, true));
  const pipelined = Array.from({ length: PIPELINES * PIPELINED }, (_, i) => plan(i, false));
  const work = [
    ...Array.from({ length: WORKERS }, async () => {
      for (let job = queue.pop(); job; job = queue.pop()) progress.note(job, await client.send(job));
    }),
    ...Array.from({ length: PIPELINES }, (_, i) =>
      pipeline(prepared.port, pipelined.slice(i * PIPELINED, (i + 1) * PIPELINED), client.retries, (job, answer) =>
        progress.note(job as Planned, answer),
      ),
    ),
  ];
  const restarts = (async () => {
    for (let n = 1; n <= RESTARTS; n++) {
      await progress.until((n * REQUESTS) / (RESTARTS + 1));
      await terminate(app);
      app = await prepared.start();
    }
  })();
  await Promise.all([...work, restarts]);
  client.close();
  await app.stop();

  const counts = new Map<string, number>();
  for (const id of readFileSync(ledger, "utf8").trim().split("\n")) counts.set(id, (counts.get(id) ?? 0) + 1);
  expect({ seed: SEED, failures: progress.failures, answered: progress.answered }).toEqual({
    seed: SEED,
    failures: [],
    answered: REQUESTS,
  });
  expect({ seed: SEED, handled: counts.size, twice: [...counts].filter(([, times]) => times > 1) }).toEqual({
    seed: SEED,
    handled: REQUESTS,
    twice: [],
  });
  expect(client.retries.refused).toBeGreaterThan(0);
});

test("a large answer to a slow reader arrives whole although the signal comes in the middle", async () => {
  const app = await prepared.start();
  const bytes = 30_000_000;
  const socket = connect(prepared.port, "127.0.0.1");
  socket.write(`GET /large/${bytes} HTTP/1.1\r\nHost: a\r\n\r\n`);
  const [first] = (await once(socket, "data")) as [Buffer];
  socket.pause();
  const ended = terminate(app);
  await refused(prepared.port);
  let size = first.length;
  socket.on("data", (data: Buffer) => (size += data.length));
  socket.resume();
  await once(socket, "close");
  await ended;
  expect(size).toBeGreaterThan(bytes);
});

/** Resolves when nobody listens on the port any more. */
async function refused(port: number): Promise<void> {
  for (;;) {
    const attempt = connect(port, "127.0.0.1");
    const outcome = await Promise.race([
      once(attempt, "connect").then(() => "open"),
      new Promise((resolve) => attempt.once("error", () => resolve("refused"))),
    ]);
    attempt.destroy();
    if (outcome === "refused") return;
  }
}

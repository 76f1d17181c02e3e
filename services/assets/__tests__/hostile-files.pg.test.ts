// Hostile files at the running app: each ends, with a reason where no text came out, and nobody else notices: /livez answers all
// the while, and the service's memory, that of its children and of its embedded database too, stays within 300 MB of what it was
// when all of them ran and nothing was under way. The long form holds /livez to 100 ms, too: it is for a machine that does nothing
// else.
//   GROUNDWORK_HOSTILE_FILES=200 npm run test:pg -- services/assets/__tests__/hostile-files.pg.test.ts
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import {
  migratedStateDir,
  processTree,
  startApp,
  until,
  type RunningApp,
} from "../../../runtime/__tests__/whole-app/support/running-app";
import { createRandom } from "../../../runtime/__tests__/whole-app/support/fuzz/random";
import { hostileFiles } from "./hostile-kit";

const COUNT = Number(process.env.GROUNDWORK_HOSTILE_FILES ?? 12);
const isLong = COUNT >= 200;
const MEMORY_ABOVE_IDLE_MB = 300;
const LIVEZ_WITHIN_MS = 100;
const seed = Number(process.env.GROUNDWORK_HOSTILE_SEED ?? Date.now() % 1_000_000);

const state = migratedStateDir();
let app: RunningApp;

beforeAll(async () => {
  app = await startApp(state.path, { LIMIT_SCALE: "1000000" });
});

afterAll(async () => {
  await app?.killTree();
  state.remove();
});

interface Shown {
  name: string;
  status: string;
  error?: string;
  documentId?: string;
}

type Ask = (method: string, path: string, body?: NonNullable<RequestInit["body"]>) => Promise<Response>;

async function member(name: string): Promise<Ask> {
  const registered = await fetch(`${app.baseUrl}/auth/register`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ email: `${name}@example.com`, password: "a passphrase of many words", organisation: name }),
  });
  const { accessToken } = (await registered.json()) as { accessToken: string };
  const headers = { authorization: `Bearer ${accessToken}` };
  return (method, path, body) =>
    fetch(`${app.baseUrl}${path}`, { method, headers, ...(body === undefined ? {} : { body }) });
}

const list = async (by: Ask, query: string): Promise<{ assets: Shown[]; next?: string }> =>
  (await (await by("GET", `/assets?limit=100${query}`)).json()) as { assets: Shown[]; next?: string };

let cups = 0;

/** A file that takes the whole way: its text is read, split and embedded. */
async function readTea(by: Ask): Promise<void> {
  const get = async (path: string): Promise<Shown> => (await (await by("GET", path)).json()) as Shown;
  const { id } = (await (await by("POST", "/assets?name=tea.md", `# Tea\n\nCup ${++cups}.`)).json()) as { id: string };
  let file: Shown | undefined;
  await until("the file is read", async () => (file = await get(`/assets/${id}`)).status === "ready");
  const document = `/vectors/documents/${file?.documentId}`;
  await until("its document is ready", async () => (await get(document)).status === "ready");
}

/** What each program of the app has in memory, in MB: the service itself is "cli.js", the others are its children. */
type Memory = Readonly<Record<string, number>>;

/** Proportional set sizes (a page that n processes share counts 1/n for each; Linux), of all processes of a program together. */
function memoryMb(): Memory {
  const sizes: Record<string, number> = {};
  for (const pid of processTree(app.process.pid!)) {
    try {
      const words = readFileSync(`/proc/${pid}/cmdline`, "utf8").split("\0");
      const program = basename(words.find((word) => /\.m?js$/.test(word)) ?? "other");
      const kb = Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, "utf8"))?.[1] ?? 0);
      sizes[program] = Math.round((sizes[program] ?? 0) + kb / 1024);
    } catch {
      // It ended between the listing and the look.
    }
  }
  return sizes;
}

const sumOf = (memory: Memory): number => Object.values(memory).reduce((sum, mb) => sum + mb, 0);

interface Figures {
  idleMb: Memory;
  /** When they had most in all. */
  peakMb: Memory;
  /** The most that each had, at whatever moment. */
  mostMb: Record<string, number>;
  livezAnswers: number;
  livezMaxMs: number;
  /** Statuses and errors that are none. */
  livezFailed: unknown[];
}

function idle(): Figures {
  const idleMb = memoryMb();
  return { idleMb, peakMb: idleMb, mostMb: {}, livezAnswers: 0, livezMaxMs: 0, livezFailed: [] };
}

async function watch(figures: Figures, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const begun = performance.now();
    const status = await fetch(`${app.baseUrl}/livez`).then((answer) => answer.status, String);
    if (status === 200) figures.livezAnswers++;
    else figures.livezFailed.push(status);
    figures.livezMaxMs = Math.max(figures.livezMaxMs, Math.round(performance.now() - begun));
    const memory = memoryMb();
    if (sumOf(memory) > sumOf(figures.peakMb)) figures.peakMb = memory;
    for (const [program, mb] of Object.entries(memory))
      figures.mostMb[program] = Math.max(figures.mostMb[program] ?? 0, mb);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

function expectUnnoticed({ idleMb, peakMb, livezAnswers, livezMaxMs, livezFailed }: Figures): void {
  expect(livezFailed).toEqual([]);
  expect(livezAnswers).toBeGreaterThan(0);
  expect(sumOf(peakMb) - sumOf(idleMb), "MB above idle").toBeLessThanOrEqual(MEMORY_ABOVE_IDLE_MB);
  if (isLong) expect(livezMaxMs, "ms until /livez answered").toBeLessThanOrEqual(LIVEZ_WITHIN_MS);
}

test(
  `${COUNT} hostile files end, each with a reason, and nobody else notices (GROUNDWORK_HOSTILE_SEED=${seed})`,
  async () => {
    // Before anything is timed: making them holds this process for seconds.
    const files = hostileFiles(createRandom(seed), COUNT);
    const hostile = await Promise.all([member("hostile"), member("accomplice")]);
    const other = await member("other");
    await readTea(other);
    const figures = idle();
    let isOver = false;
    const looking = watch(figures, () => isOver);
    for (const [at, { name, bytes }] of files.entries()) {
      const answer = await hostile[at % 2]!("POST", `/assets?name=${at}-${name}`, Uint8Array.from(bytes));
      expect(answer.status, `${name}: ${await answer.text()}`).toBe(200);
    }
    // Meanwhile somebody else's file is read.
    await readTea(other);
    const all = new Map<string, Shown>();
    for (const by of hostile) {
      const pending = async (): Promise<number> => (await list(by, "&status=pending")).assets.length;
      await until("all have ended", async () => (await pending()) === 0, 30_000 + COUNT * 30_000);
      for (let cursor = ""; ;) {
        const page = await list(by, cursor);
        for (const asset of page.assets) all.set(asset.name, asset);
        if (page.next === undefined) break;
        cursor = `&cursor=${encodeURIComponent(page.next)}`;
      }
    }
    isOver = true;
    await looking;
    process.stdout.write(`hostile files: ${COUNT}, seed ${seed}, ${JSON.stringify(figures)}\n`);
    expectUnnoticed(figures);
    const wrong = files.flatMap(({ name, ends }, at) => {
      const asset = all.get(`${at}-${name}`);
      const isAsExpected =
        ends.includes(asset?.status ?? "") && (asset?.status === "failed") === (asset?.error !== undefined);
      const isGivenUp = asset?.error?.startsWith("given_up") === true;
      return isAsExpected && !isGivenUp ? [] : [`${name}: ${asset?.status} ${asset?.error}`];
    });
    expect(wrong, `seed ${seed}`).toEqual([]);
  },
  120_000 + COUNT * 30_000,
);

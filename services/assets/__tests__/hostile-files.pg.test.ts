// Hostile files at the running app: each ends, with a reason where no text came out, and nobody else notices.
//   GROUNDWORK_HOSTILE_FILES=200 npm run test:pg -- services/assets/__tests__/hostile-files.pg.test.ts
import { readFileSync } from "node:fs";
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

const COUNT = Number(process.env.GROUNDWORK_HOSTILE_FILES ?? 20);
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
}

async function member(
  name: string,
): Promise<(method: string, path: string, body?: NonNullable<RequestInit["body"]>) => Promise<Response>> {
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

/** Of the app and all its processes, in MB (Linux). */
function memoryMb(): number {
  const pages = processTree(app.process.pid!).map((pid) => {
    try {
      return Number(readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")[1]);
    } catch {
      return 0; // it ended between the listing and the look
    }
  });
  return Math.round((pages.reduce((sum, count) => sum + count, 0) * 4096) / 1024 / 1024);
}

test(
  `${COUNT} hostile files end, each with a reason, and nobody else notices (GROUNDWORK_HOSTILE_SEED=${seed})`,
  async () => {
    // Before anything is timed: making them holds this process for seconds.
    const files = hostileFiles(createRandom(seed), COUNT);
    const hostile = await member("hostile");
    const other = await member("other");
    const idleMb = memoryMb();
    const figures = { livezMaxMs: 0, memoryMaxMb: idleMb };
    let isOver = false;
    const look = async (): Promise<void> => {
      while (!isOver) {
        const begun = performance.now();
        expect((await fetch(`${app.baseUrl}/livez`)).status).toBe(200);
        figures.livezMaxMs = Math.max(figures.livezMaxMs, Math.round(performance.now() - begun));
        figures.memoryMaxMb = Math.max(figures.memoryMaxMb, memoryMb());
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    };
    const looking = look();
    for (const [at, { name, bytes }] of files.entries()) {
      const answer = await hostile("POST", `/assets?name=${at}-${name}`, Uint8Array.from(bytes));
      expect(answer.status, `${name}: ${await answer.text()}`).toBe(200);
    }
    // Meanwhile somebody else's file is read.
    const { id } = (await (await other("POST", "/assets?name=tea.md", "# Tea\n\nIt is hot.")).json()) as { id: string };
    const shown = async (): Promise<Shown> => (await (await other("GET", `/assets/${id}`)).json()) as Shown;
    await until("the other's file is read", async () => (await shown()).status === "ready");
    const all = new Map<string, Shown>();
    const pending = async (): Promise<number> =>
      ((await (await hostile("GET", "/assets?status=pending&limit=100")).json()) as { assets: Shown[] }).assets.length;
    await until("all have ended", async () => (await pending()) === 0, 30_000 + COUNT * 30_000);
    for (let cursor = ""; ;) {
      const page = (await (await hostile("GET", `/assets?limit=100${cursor}`)).json()) as {
        assets: Shown[];
        next?: string;
      };
      for (const asset of page.assets) all.set(asset.name, asset);
      if (page.next === undefined) break;
      cursor = `&cursor=${encodeURIComponent(page.next)}`;
    }
    isOver = true;
    await looking;
    const wrong = files.flatMap(({ name, ends }, at) => {
      const asset = all.get(`${at}-${name}`);
      const isAsExpected =
        ends.includes(asset?.status ?? "") && (asset?.status === "failed") === (asset?.error !== undefined);
      const isGivenUp = asset?.error?.startsWith("given_up") === true;
      return isAsExpected && !isGivenUp ? [] : [`${name}: ${asset?.status} ${asset?.error}`];
    });
    expect(wrong, `seed ${seed}`).toEqual([]);
    process.stdout.write(`hostile files: ${COUNT}, seed ${seed}, ${JSON.stringify({ idleMb, ...figures })}\n`);
  },
  120_000 + COUNT * 30_000,
);

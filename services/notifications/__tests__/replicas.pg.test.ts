// Two replicas of the app on one database, one of which is killed: those who followed there go on at the other.
import { randomBytes } from "node:crypto";
import { afterAll, expect, test } from "vitest";
import { AppDB } from "../../../database";
import {
  migratedStateDir,
  startApp,
  until,
  type RunningApp,
} from "../../../runtime/__tests__/whole-app/support/running-app";

const SENT = 30;
const FOLLOWERS = 8;
const states = [migratedStateDir(), migratedStateDir()];
const apps: RunningApp[] = [];
const leaving = new AbortController();

afterAll(async () => {
  leaving.abort();
  for (const app of apps) await app.killTree();
  for (const state of states) state.remove();
});

class Follower {
  readonly told: string[] = [];
  resumedAtMs: number | undefined;
  private lastId = "";

  constructor(
    private readonly token: string,
    private readonly baseUrls: readonly string[],
  ) {}

  /** As a browser's EventSource: it comes again, at the next replica, with the last id that it has. */
  async run(): Promise<void> {
    for (let at = 0; !leaving.signal.aborted; at = (at + 1) % this.baseUrls.length) {
      try {
        await this.follow(this.baseUrls[at]!);
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    }
  }

  private async follow(baseUrl: string): Promise<void> {
    const headers: Record<string, string> = { authorization: `Bearer ${this.token}` };
    if (this.lastId !== "") headers["last-event-id"] = this.lastId;
    const response = await fetch(`${baseUrl}/notifications/stream`, { headers, signal: leaving.signal });
    if (response.status !== 200) throw new Error(`answered ${response.status}`);
    let text = "";
    for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
      text += Buffer.from(chunk).toString();
      for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
        this.take(text.slice(0, end));
        text = text.slice(end + 2);
      }
    }
  }

  private take(event: string): void {
    const [, name, id = "", data = "{}"] = /^event: (\w+)\nid: (\d+)\ndata: (.*)$/.exec(event) ?? [];
    if (name === undefined) return;
    this.lastId = id;
    this.resumedAtMs ??= performance.now();
    if (name === "notification") this.told.push((JSON.parse(data) as { id: string }).id);
  }
}

test("who follows a replica that is killed sees each notification once, and goes on at the other within two seconds", async () => {
  const env = {
    DATABASE_URL: AppDB.connectionString,
    MasterKey: randomBytes(32).toString("base64"),
    LIMIT_SCALE: "1000000",
  };
  for (const state of states) apps.push(await startApp(state.path, env));
  const [first, second] = apps as [RunningApp, RunningApp];
  const ask = async <T>(path: string, body?: object, token = ""): Promise<T> => {
    const headers = {
      "content-type": "application/json",
      ...(token === "" ? {} : { authorization: `Bearer ${token}` }),
    };
    const response = await fetch(`${second.baseUrl}${path}`, {
      headers,
      ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
    });
    return (await response.json()) as T;
  };
  const email = `${crypto.randomUUID()}@example.com`;
  const { accessToken, user } = await ask<{ accessToken: string; user: { id: string } }>("/auth/register", {
    ...{ email, password: "a passphrase of many words", organisation: "Replicas" },
  });
  const followers = Array.from({ length: FOLLOWERS }, () => new Follower(accessToken, [first.baseUrl, second.baseUrl]));
  for (const follower of followers) void follower.run();
  await until("all follow", () => followers.every(({ resumedAtMs }) => resumedAtMs !== undefined));
  const ids: string[] = [];
  let killedAtMs = 0;
  for (let n = 0; n < SENT; n++) {
    const said = { category: "replicas", content: { title: `No. ${n}`, body: "b" } };
    ids.push((await ask<{ id: string }>("/notifications/send", { to: [user.id], ...said }, accessToken)).id);
    if (n !== SENT / 2) continue;
    for (const follower of followers) follower.resumedAtMs = undefined;
    killedAtMs = performance.now();
    await first.killTree();
  }
  await until("each has seen all", () => followers.every(({ told }) => told.length >= SENT), 60_000);
  for (const { told } of followers) expect([told.length, new Set(told)]).toEqual([SENT, new Set(ids)]);
  const resumedMs = Math.max(...followers.map(({ resumedAtMs = Infinity }) => resumedAtMs - killedAtMs));
  process.stdout.write(`resumed ${Math.round(resumedMs)} ms after the kill\n`);
  expect(resumedMs).toBeLessThan(2_000);
});

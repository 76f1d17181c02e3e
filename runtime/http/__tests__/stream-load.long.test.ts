// Streams under peers that send more than is read, read less than is sent, or send what is expensive: none of them fills the
// memory or keeps the event loop from the others.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { WebSocket } from "ws";
import { PacedInbox } from "../paced-inbox";
import { startApp, type AppProcess } from "./support/app-process";

let app: AppProcess;
beforeAll(async () => {
  app = await startApp(join(import.meta.dirname, "../../__tests__/fixtures/http-rules-app"), {
    env: { NODE_OPTIONS: "--expose-gc" },
  });
});
afterAll(() => app.stop());

const open = async (path: string): Promise<WebSocket> => {
  const socket = new WebSocket(`ws://127.0.0.1:${app.port}${path}`);
  socket.on("error", () => undefined);
  await once(socket, "open");
  return socket;
};
const memoryMb = (): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${app.child.pid}/status`, "utf8"))?.[1] ?? 0) / 1024;
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("messages that nobody reads end the stream before they fill the memory", async () => {
  const before = memoryMb();
  const socket = await open("/live/deaf");
  const closed = once(socket, "close");
  const message = `{"a":[${"{},".repeat(300_000)}1]}`;
  for (let i = 0; i < 100 && socket.readyState === WebSocket.OPEN; i++) {
    socket.send(message);
    while (socket.bufferedAmount > 4 << 20 && socket.readyState === WebSocket.OPEN) await turn();
  }
  expect((await closed)[0]).toBe(1013);
  expect(memoryMb() - before).toBeLessThan(150);
});

test("a peer that does not read is cut before what waits for it fills the memory", async () => {
  const socket = await open("/live/flood");
  const closed = once(socket, "close");
  socket.pause();
  const megabytes = (): string | undefined => /^FLOOD ENDED (\d+)/m.exec(app.log())?.[1];
  while (megabytes() === undefined) await turn();
  socket.terminate();
  await closed;
  expect(Number(megabytes())).toBeLessThan(100);
});

test("a stream whose handler threw stays while somebody holds it, and ends when nobody does (S-9)", async () => {
  const kept = await open("/live/broken?keep=true");
  const left = await open("/live/broken?keep=false");
  const closed = once(left, "close").then(() => true);
  let isClosed = false;
  for (let i = 0; i < 100 && !isClosed; i++) {
    await fetch(`http://127.0.0.1:${app.port}/live/collect`, { method: "POST" });
    isClosed = await Promise.race([closed, turn().then(() => false)]);
  }
  expect(isClosed).toBe(true);
  expect(kept.readyState).toBe(WebSocket.OPEN);
  kept.terminate();
});

test("a message larger than a body may be is refused with 1009", async () => {
  const socket = await open("/live/keys");
  const closed = once(socket, "close");
  socket.send(`{"text":"${"x".repeat(2 << 20)}"}`);
  expect((await closed)[0]).toBe(1009);
});

describe("an inbox", () => {
  const make = (told: string[] = []): PacedInbox =>
    new PacedInbox({
      codec: {
        decode: (data) => JSON.parse(data.toString()) as Record<string, unknown>,
        decodeLarge: async (data) => JSON.parse(data.toString()) as Record<string, unknown>,
      },
      dropped: (problem) => told.push(problem),
      endMessage: "ended",
    });

  test("hands out a bounded number of messages in a turn of the event loop, however fast they are asked for", async () => {
    const inbox = make();
    for (let i = 0; i < 9_000; i++) expect(inbox.put(Buffer.from(String(i)))).toBe(true);
    const read: unknown[] = [];
    const reading = (async () => {
      for (let i = 0; i < 9_000; i++) read.push(await inbox.take());
    })();
    let turns = 0;
    for (; read.length < 9_000; turns++) {
      const before = read.length;
      await turn();
      expect(read.length - before).toBeLessThan(2_100);
    }
    await reading;
    expect(turns).toBeGreaterThan(4);
    expect(read).toEqual(Array.from({ length: 9_000 }, (_, i) => i));
  });

  test("counts messages and bytes, and has room again once they are read", async () => {
    const inbox = make();
    for (let i = 0; i < 10_000; i++) inbox.put(Buffer.from("1"));
    expect(inbox.put(Buffer.from("1"))).toBe(false);
    await inbox.take();
    expect(inbox.put(Buffer.from("1"))).toBe(true);
    const large = make();
    const megabyte = Buffer.from(`"${"x".repeat((1 << 20) - 2)}"`);
    for (let i = 0; i < 16; i++) expect(large.put(megabyte)).toBe(true);
    expect(large.put(Buffer.from("1"))).toBe(false);
    await large.take();
    expect(large.put(Buffer.from("1"))).toBe(true);
  });

  test("tells of invalid messages until it is clear that there are many", async () => {
    const told: string[] = [];
    const inbox = make(told);
    for (let i = 0; i < 50; i++) inbox.put(Buffer.from("{"));
    inbox.put(Buffer.from("7"));
    expect(await inbox.take()).toBe(7);
    expect(told).toHaveLength(20);
    expect(told.at(-1)).toContain("the last one that is told");
  });

  test("what had arrived before the end is read, then readers are refused", async () => {
    const inbox = make();
    inbox.put(Buffer.from("1"));
    inbox.end();
    inbox.put(Buffer.from("2"));
    expect(await inbox.take()).toBe(1);
    await expect(inbox.take()).rejects.toThrow("ended");
    const empty = make();
    const waiting = empty.take();
    empty.end();
    await expect(waiting).rejects.toThrow("ended");
  });
});

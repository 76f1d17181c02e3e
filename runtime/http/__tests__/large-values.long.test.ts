// Texts of very many small values: each kind of container, near the limit of a body, as a request, as an answer, between services
// and in a stream. None of them holds the event loop, alone or several at once.
import { on, once } from "node:events";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { WebSocket } from "ws";
import { startWatchedApp, type WatchedApp } from "./support/watched-app";

const BODY_CHARS = 2_090_000;

let app: WatchedApp;
const held = (act: () => Promise<void>): Promise<string | undefined> => app.held(act);

beforeAll(async () => {
  app = await startWatchedApp(join(import.meta.dirname, "../../__tests__/fixtures/http-rules-app"));
});
afterAll(() => app.stop());

const post = async (path: string, body: string): Promise<Record<string, unknown>> => {
  const response = await fetch(`http://127.0.0.1:${app.port}/large/${path}`, { method: "POST", body });
  return (await response.json()) as Record<string, unknown>;
};

const many = (item: string): string =>
  `[${Array(Math.floor(BODY_CHARS / (item.length + 1)))
    .fill(item)
    .join()}]`;
const keyed = (value: string): string => {
  const count = Math.floor(BODY_CHARS / (value.length + 11));
  return `{${Array.from({ length: count }, (_, i) => `"k${String(i).padStart(6, "0")}":${value}`).join()}}`;
};
/** A tree of as much text, as deep as may be. */
const branch = `${'{"more":[{"value":'.repeat(30)}1${"}]}".repeat(30)}`;

const bodies: [string, string, string[]][] = [
  ["free-form numbers", `{"any":${many("1")}}`, ["any"]],
  ["free-form objects", `{"any":${many('{"a":[]}')}}`, ["any"]],
  ["free-form keys", `{"any":${keyed("1")}}`, ["any"]],
  ["numbers", `{"numbers":${many("1")}}`, ["numbers"]],
  ["large integers", `{"numbers":${many("9007199254740993")}}`, ["numbers"]],
  ["lists", `{"lists":${many("[]")}}`, ["lists"]],
  ["dates", `{"dates":${many('"2026-01-01T00:00:00Z"')}}`, ["dates"]],
  ["decimals", `{"decimals":${many('"1.1"')}}`, ["decimals"]],
  ["addresses", `{"emails":${many('"a@b.co"')}}`, ["emails"]],
  ["URLs", `{"urls":${many('"http://a"')}}`, ["urls"]],
  ["words of a pattern", `{"words":${many('"abc"')}}`, ["words"]],
  ["a record", `{"record":${keyed("1")}}`, ["record"]],
  ["objects", `{"rows":${many('{"a":1}')}}`, ["rows"]],
  ["a list of unions", `{"unions":${many("1")}}`, ["unions"]],
  ["a union of lists", `{"union":${many('{"a":1}')}}`, ["union"]],
  ["a tree", `{"tree":{"more":${many(branch)}}}`, ["tree"]],
  ["ignored numbers", `{"x":${many("1")}}`, []],
  ["ignored objects", `{"x":${many('{"a":[]}')}}`, []],
  ["ignored keys", `{${Array(300_000).fill('"x":1').join()}}`, []],
  ["ignored brackets", `{"x":${"[".repeat(1_000_000)}${"]".repeat(1_000_000)}}`, []],
  ["escapes", `{"text":"${"\\n".repeat(1_000_000)}"}`, ["text"]],
  ["escapes of pairs", `{"text":"${"\\ud83d\\ude00".repeat(170_000)}"}`, ["text"]],
];

test.each(bodies)("a body of %s", async (_name, body, got) => {
  expect(body.length).toBeLessThan(2 << 20);
  expect(await held(async () => expect(await post("read", body)).toEqual({ got, told: got }))).toBeUndefined();
});

test("a mistake at the end of a large body is told as at the end of a small one", async () => {
  const body = `{"numbers":${many("1").slice(0, -1)},"x"]}`;
  expect(
    await held(async () => {
      expect(await post("read", body)).toMatchObject({
        code: "invalid_argument",
        message: expect.stringMatching(
          /^unable to decode request body: numbers\[\d+\]: invalid type: string "x"/,
        ) as unknown,
      });
    }),
  ).toBeUndefined();
});

test("several large bodies at once, and small ones beside them", async () => {
  const kinds = [bodies[1]![1], bodies[6]![1], bodies[14]![1], bodies[17]![1]];
  expect(
    await held(async () => {
      let largeDone = 0;
      const large = Promise.all(kinds.map((body) => post("read", body).then(() => largeDone++)));
      const small = await post("read", '{"numbers":[1]}');
      expect(small).toEqual({ got: ["numbers"], told: ["numbers"] });
      await large;
    }),
  ).toBeUndefined();
});

test("what currentRequest() tells of a large body is what came, and plain data", async () => {
  const count = 20_000;
  const body = JSON.stringify({ numbers: Array(count).fill(1), dates: Array(count).fill(new Date(0)) });
  // At first it is made when it is asked for, since it was once ahead.
  for (let time = 0; time < 2; time++) {
    const { told } = (await post("change", body)) as { told: { numbers: number[]; dates: string[] } };
    expect(Object.keys(told)).toEqual(["numbers", "dates"]);
    expect(told.numbers).toEqual(Array(count).fill(1));
    expect(told.dates).toEqual(Array(count).fill("1970-01-01T00:00:00Z"));
  }
});

test.each([
  ["numbers", 1_000_000],
  ["rows", 200_000],
  ["record", 120_000],
  ["dates", 80_000],
  ["lists", 700_000],
])("an answer of %s", async (kind, count) => {
  await post("write", JSON.stringify({ kind, count: 1 }));
  const wanted = JSON.stringify({ kind, count });
  await post("write", wanted);
  const written = async (): Promise<void> => {
    expect(Object.keys((await post("write", wanted)).any as object)).toHaveLength(count);
  };
  expect(await held(written)).toBeUndefined();
  const besides = JSON.stringify({ kind, count, extra: true });
  expect(await held(async () => expect(await post("write", besides)).toEqual({}))).toBeUndefined();
});

test.each([
  ["rows", 400_000],
  ["record", 60_000],
])("a call with, and an answer from another service of %s", async (kind, count) => {
  const wanted = JSON.stringify({ kind, count });
  await post("write", wanted);
  const called = async (): Promise<void> => expect(await post("call", wanted)).toEqual({ size: count });
  expect(await held(called)).toBeUndefined();
  const passed = async (): Promise<void> => {
    expect(await post("pass", wanted)).toEqual({ size: count, told: count, mistake: "" });
  };
  expect(await held(passed)).toBeUndefined();
});

test("a large payload that cannot be sent is the caller's mistake, as a small one is", async () => {
  const count = 100_000;
  expect(await post("pass", JSON.stringify({ kind: "wrong", count }))).toEqual(
    await post("pass", JSON.stringify({ kind: "wrong", count: 2 })),
  );
});

test("a message of a stream, and the order of those behind it", async () => {
  const socket = new WebSocket(`ws://127.0.0.1:${app.port}/large/talk`);
  await once(socket, "open");
  expect(
    await held(async () => {
      socket.send(`{"rows":${many('{"a":1}')}}`);
      socket.send('{"text":"behind"}');
      const answers: unknown[] = [];
      for await (const [data] of on(socket, "message")) if (answers.push(JSON.parse(String(data))) === 2) break;
      expect(answers).toEqual([
        { got: ["rows"], told: [] },
        { got: ["text"], told: [] },
      ]);
    }),
  ).toBeUndefined();
  socket.terminate();
});

test("a service that sends to one that does not read is told before what waits fills the memory", async () => {
  const { sent, error } = await post("deaf-ears", "{}");
  expect(sent).toBeLessThan(100);
  expect(error).toContain("does not read");
});

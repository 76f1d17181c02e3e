// What a stream sends is written when it is sent, up to a bound. Counted in values and characters, not in time.
import { expect, test } from "vitest";
import { any, newDecimal, struct } from "../../schema/__tests__/support";
import { compileMessageCodec } from "../../schema";
import { createChannel, encodeMessage, MESSAGE_BOUND } from "../stream-channel";

const codec = compileMessageCodec({ decls: {} }, struct({ "rows?": any, "text?": any }), newDecimal);

/** A channel whose carrier keeps what is sent. */
function open() {
  const sent: string[] = [];
  const carrier = { isOpen: true, send: (text: string) => void sent.push(text), close: () => undefined };
  const inbox = { take: () => Promise.reject(new Error("nothing comes in")) };
  return { sent, channel: createChannel(carrier, inbox, (message) => encodeMessage(codec, message)) };
}

/** So many rows, each of one value, and how many of them were looked at. */
function counted(count: number, value: unknown = 1) {
  const seen = { rows: 0 };
  const row = {
    get a() {
      seen.rows++;
      return value;
    },
  };
  return { rows: Array<unknown>(count).fill(row), seen };
}

test.each<[string, object]>([
  ["values", { rows: Array(49_000).fill(1) }],
  ["rows", { rows: Array(24_000).fill({ a: 1 }) }],
  ["keys", { rows: Object.fromEntries(Array.from({ length: 49_000 }, (_, i) => [`k${i}`, 1])) }],
  ["one text", { text: "x".repeat(2 << 20) }],
  ["several texts", { rows: Array(30).fill("x".repeat(100_000)) }],
])("a large message of %s is sent as it is when it is given", (_what, message) => {
  const { channel, sent } = open();
  const before = JSON.stringify(message);
  channel.send(message);
  Object.assign(message, { rows: [], text: "" });
  expect(sent).toEqual([before]);
});

test.each<[string, () => { message: object; seen?: { rows: number }; max?: number }]>([
  ["values", () => ({ message: { rows: Array(200_000).fill(1) } })],
  [
    "rows",
    () => {
      const { rows, seen } = counted(200_000);
      return { message: { rows }, seen, max: MESSAGE_BOUND.parts };
    },
  ],
  [
    "long texts",
    () => {
      const { rows, seen } = counted(2000, "x".repeat(100_000));
      return { message: { rows }, seen, max: 40 };
    },
  ],
  ["characters of one text", () => ({ message: { text: "x".repeat((2 << 20) + 1) } })],
  ["two texts together", () => ({ message: { rows: "x".repeat(2 << 20), text: "x".repeat(2 << 20) } })],
])("of too many %s it is refused before it is written, and the stream goes on", (_what, make) => {
  const { channel, sent } = open();
  const { message, seen, max } = make();
  const refusal = {
    name: "EncodeError",
    code: "InvalidArg",
    message: expect.stringMatching(/^too large: .*; send it in parts$/) as string,
  };
  expect(() => channel.send(message)).toThrow(expect.objectContaining(refusal) as Error);
  if (seen) expect(seen.rows).toBeLessThanOrEqual(max!);
  channel.send({ text: "behind" });
  expect(sent).toEqual(['{"text":"behind"}']);
});

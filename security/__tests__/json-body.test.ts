// The JSON body of a raw endpoint: what is read of it, and what is said of one that is none.
import { once } from "node:events";
import { createServer, type IncomingMessage } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { Readable } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { readJsonBody } from "../json-body";

const body = (text: string, pieceBytes = 7): Readable =>
  Readable.from((text.match(new RegExp(`[^]{1,${pieceBytes}}`, "g")) ?? []).map((piece) => Buffer.from(piece)));
const problemOf = (reading: Promise<unknown>): Promise<unknown> =>
  reading.then(
    () => "was read",
    (error: unknown) => (error as { details?: { fields?: Record<string, string> } }).details?.fields?.["(body)"],
  );

test("is read whole, in however many pieces it comes, up to its last byte", async () => {
  const sent = JSON.stringify({ words: "all of it".repeat(100) });
  expect(await readJsonBody(body(sent), sent.length)).toEqual(JSON.parse(sent));
  expect(await problemOf(readJsonBody(body(sent), sent.length - 1))).toBe(`is larger than ${sent.length - 1} bytes`);
});

test("is refused when it is none", async () => {
  for (const text of ["", "{", "undefined", '{"a":1}}'])
    expect(await problemOf(readJsonBody(body(text), 99))).toBe("is no JSON");
});

test("whose client leaves in its middle is the client's mistake, and no failure of ours", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  onTestFinished(() => void server.close());
  await once(server, "listening");
  const asked = once(server, "request") as Promise<[IncomingMessage]>;
  const socket = connect((server.address() as AddressInfo).port, "127.0.0.1");
  socket.write('POST / HTTP/1.1\r\nhost: here\r\ncontent-length: 100\r\n\r\n{"half": ');
  const [request] = await asked;
  const reading = problemOf(readJsonBody(request, 1_000));
  socket.destroy();
  expect(await reading).toBe("ended before all of it was sent");
});

// `host.fetch`: what users' code asks of others through the app, and what it is refused.
import { once } from "node:events";
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { hostFetch } from "../host-fetch";
import { Pool } from "../pool";

const pool = new Pool();
let server: Server;
let base: string;
const heard: IncomingMessage[] = [];

beforeAll(async () => {
  server = createServer((request, response) => {
    heard.push(request);
    if (request.url === "/hang") return;
    if (request.url === "/redirect") response.writeHead(302, { location: "https://169.254.169.254/" }).end();
    else if (request.url === "/large") response.end("a".repeat(600_000));
    else request.pipe(response.writeHead(201, { "x-kind": "echo" }));
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  pool.close();
  server.closeAllConnections();
  server.close();
});

const run = (code: string, allowLoopback: boolean, timeoutMs = 20_000): ReturnType<Pool["run"]> =>
  pool.run("t", {
    code,
    input: JSON.stringify(base),
    timeoutMs,
    memoryMb: 16,
    functions: { fetch: hostFetch({ trust: "organisation", allowLoopback }) },
  });

test("asks, and hears the answer", async () => {
  const code =
    "const a = await host.fetch(input, { method: 'POST', headers: { 'x-a': 'b' }, body: 'hello' }); return [a.status, a.text, a.headers['x-kind']]";
  expect((await run(code, true)).output).toEqual([201, "hello", "echo"]);
  expect(heard.at(-1)).toMatchObject({ method: "POST", headers: { "x-a": "b" } });
  expect((await run("return (await host.fetch(input)).text", true)).output).toBe("");
});

test("a redirect is an answer, and is not followed", async () => {
  const code = "const a = await host.fetch(input + '/redirect'); return [a.status, a.headers.location]";
  expect((await run(code, true)).output).toEqual([302, "https://169.254.169.254/"]);
});

test.each([
  ["this machine", "host.fetch(input)", "is no https address"],
  ["its name", "host.fetch('https://localhost/')", "is no public address"],
  ["a cloud's metadata", "host.fetch('https://169.254.169.254/latest/meta-data/')", "is no public address"],
  ["the same as one number", "host.fetch('https://2852039166/')", "is no public address"],
  ["the same within IPv6", "host.fetch('https://[::ffff:a9fe:a9fe]/')", "is no public address"],
  ["a private network", "host.fetch('https://10.0.0.1/')", "is no public address"],
  ["a file", "host.fetch('file:///etc/passwd')", "is no https address"],
  ["no address", "host.fetch('nowhere')", "is no address"],
  ["credentials", "host.fetch('https://a:b@example.com/')", "has credentials in it"],
])("does not ask %s", async (_what, call, why) => {
  heard.length = 0;
  const { output } = await run(`return await ${call}.catch((error) => error.message)`, false);
  expect(output).toBe(`the request failed: ${why}`);
  expect(heard).toEqual([]);
});

test.each([
  ["nothing", "host.fetch()"],
  ["a number", "host.fetch(1)"],
  ["another method", "host.fetch(input, { method: 'CONNECT' })"],
  ["the host's name", "host.fetch(input, { headers: { Host: 'a' } })"],
  ["the length", "host.fetch(input, { headers: { 'content-length': '1' } })"],
  ["the framing", "host.fetch(input, { headers: { 'Transfer-Encoding': 'chunked' } })"],
  ["an option that it has not", "host.fetch(input, { agent: {} })"],
  ["more than it takes", "host.fetch(input, {}, {})"],
])("takes no %s", async (_what, call) => {
  heard.length = 0;
  const { output } = await run(`return await ${call}.catch((error) => error.message)`, true);
  expect(output).toBe("fetch takes an address, and {method, headers, body}");
  expect(heard).toEqual([]);
});

test.each([
  ["an answer that is too large", "host.fetch(input + '/large')", "the request failed: the answer is too large"],
  ["a header of two lines", "host.fetch(input, { headers: { a: 'b\\r\\nc: d' } })", "the request failed"],
])("refuses %s", async (_what, call, why) => {
  expect((await run(`return await ${call}.catch((error) => error.message)`, true)).output).toBe(why);
});

test("a request ends with its run", async () => {
  const { error } = await run("await host.fetch(input + '/hang')", true, 3_000);
  expect(error?.reason).toBe("timeout");
  await vi.waitFor(() => expect(heard.at(-1)).toMatchObject({ url: "/hang", destroyed: true }), { timeout: 30_000 });
});

// A Postgres that accepts connections and never says a word ends no command's patience but its own.
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { expect, test } from "vitest";
import { connect } from "../connect";

test("a server that does not answer is told of in a bounded time", async () => {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on("error", () => undefined)));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const startedAt = performance.now();
  await expect(connect(`postgresql://a:b@127.0.0.1:${port}/c?sslmode=disable`, "test", 200)).rejects.toThrow(
    "accepts connections but does not answer within 200 ms",
  );
  expect(performance.now() - startedAt).toBeLessThan(10_000);
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

test("a server that refuses is named by the driver's own words", async () => {
  await expect(connect("postgresql://a:b@127.0.0.1:9/c?sslmode=disable", "test", 200)).rejects.toThrow("ECONNREFUSED");
});

test("commands and the start connect in no other way", () => {
  const files = ["runtime/infra", "runtime/commands"].flatMap((folder) =>
    readdirSync(folder)
      .filter((name) => name.endsWith(".ts"))
      .map((name) => `${folder}/${name}`),
  );
  const own = files.filter((file) => /new (?:pg\.)?(?:Client|Pool)\(/.test(readFileSync(file, "utf8")));
  expect(own).toEqual(["runtime/infra/connect.ts"]);
});

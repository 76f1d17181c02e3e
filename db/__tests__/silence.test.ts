// A server that hangs in the middle of a statement: whoever waits gets an error soon after the statement's own limit, and
// the connection is not used again.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { AppDB } from "../../database";
import { checkReadiness } from "../../telemetry/probes";
import { DbError } from "../errors";
import { appPool, closePool } from "../pool";
import { silenceLimitMs } from "../silence";
import { systemQuery, withSystem } from "../tenant";
import { endLines, throughDatabase } from "./line";

const LIMIT_MS = 200;
const options = { statementTimeoutMs: LIMIT_MS };
const address = AppDB.connectionString;
let line: Awaited<ReturnType<typeof throughDatabase>>;

const setAddress = (connectionString: string): void =>
  void Object.defineProperty(AppDB, "connectionString", { configurable: true, get: () => connectionString });

beforeEach(async () => {
  await closePool();
  line = await throughDatabase(address);
  setAddress(line.url);
  await withSystem("test", (tx) => tx.query("select 1"));
});

afterEach(async () => {
  await closePool();
  endLines();
  setAddress(address);
});

/** What `ask` fails with; the line falls silent when `ask` says so. Everything must be over within the limit. */
async function failureOf(ask: () => Promise<unknown>): Promise<unknown> {
  const startedAt = performance.now();
  const failure = await ask().then(
    () => undefined,
    (error: unknown) => error,
  );
  expect(performance.now() - startedAt).toBeLessThan(silenceLimitMs(LIMIT_MS) + 10_000);
  return failure;
}

const goSilent = (): void => void (line.isSilent = true);

describe("a server that falls silent", () => {
  it.each<[string, () => Promise<unknown>]>([
    [
      "in one statement",
      () => {
        goSilent();
        return systemQuery("test", "select 1", [], options);
      },
    ],
    [
      "in the middle of a transaction",
      () =>
        withSystem(
          "test",
          async (tx) => {
            await tx.query("select 1");
            goSilent();
            return tx.query("select 2");
          },
          options,
        ),
    ],
    [
      "before the answer to COMMIT",
      () =>
        withSystem(
          "test",
          async (tx) => {
            await tx.query("select 1");
            goSilent();
          },
          options,
        ),
    ],
  ])("%s: its caller gets `unavailable`, the connection is dropped, and the next works", async (_where, ask) => {
    const failure = await failureOf(ask);
    expect(failure).toBeInstanceOf(DbError);
    expect(failure).toMatchObject({ kind: "unavailable", cause: { code: "ETIMEDOUT" } });
    expect(appPool().totalCount).toBe(0);
    line.isSilent = false;
    await expect(systemQuery("test", "select 1 as n")).resolves.toEqual([{ n: 1 }]);
    expect((await checkReadiness()).ready).toBe(true);
  });

  it("is not one that answers late, within its limit, nor one that nobody asks", async () => {
    const late = await systemQuery("test", "select pg_sleep(1.3), 1 as n", [], { statementTimeoutMs: 3_000 });
    expect(late).toMatchObject([{ n: 1 }]);
    const client = await appPool().connect();
    // The session's reset after its last use is over.
    await client.query("select 1");
    client.connection.stream.emit("timeout");
    await new Promise(setImmediate);
    expect((await client.query("select 1 as n")).rows).toEqual([{ n: 1 }]);
    client.release();
  });
});

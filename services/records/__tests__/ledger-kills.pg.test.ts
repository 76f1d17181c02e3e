// Processes that post and sell are killed wherever they are (SIGKILL): what is posted comes to nought at every moment, and what an order took
// is what the ledger says.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { build } from "esbuild";
import { records } from "~encore/clients";
import { afterAll, beforeAll, expect, test } from "vitest";
import { systemQuery, tenantQuery } from "../../../db/tenant";
import { runSaga } from "../../../sagas/run-saga";
import { createCaller, runRelayAndWorkers, type Caller } from "../../../testing";
import { tenantIdFrom } from "../../../security/principal";
import { orderSaga } from "../order-saga";
import { stockOf } from "./ordering";
import { account, balanceOf, ledgerFaults, postedOf } from "./posting";
import { createRandom, product } from "./things";

const KILLS = 12;
const STOCK = 100_000;
const PRICE = 450;
const SEED = 20261130;

const root = join(import.meta.dirname, "..", "..", "..");
const program = join(root, ".groundwork", `dying-ledger-${process.pid}.mjs`);
const living = new Set<ReturnType<typeof spawn>>();

runRelayAndWorkers();

beforeAll(async () => {
  const entryPoints = [join(import.meta.dirname, "dying-ledger.ts")];
  await build({
    ...{ entryPoints, outfile: program, bundle: true, platform: "node", target: "node20", format: "esm" },
    ...{ packages: "external", logLevel: "error" },
  });
});

afterAll(() => {
  for (const child of living) child.kill("SIGKILL");
});

/** Killed so long after it has done something. Resolves with how much it had done, and what it complained of. */
function runAndKill(args: readonly string[], afterMs: number): Promise<{ done: number; end: unknown; errors: string }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"], env: process.env });
  living.add(child);
  let [done, errors] = [0, ""];
  child.stdout.on("data", (part: Buffer) => {
    if (done === 0) void sleep(afterMs).then(() => child.kill("SIGKILL"));
    done += part.length;
  });
  child.stderr.on("data", (part: Buffer) => (errors += part.toString()));
  return new Promise((resolve) => {
    child.once("close", (code, signal) => {
      living.delete(child);
      resolve({ done, end: signal ?? code, errors });
    });
  });
}

/** Without what Node says of packages. */
const complaintsIn = (errors: string): string =>
  errors
    .split("\n")
    .filter((line) => !line.includes("DeprecationWarning") && !line.includes("--trace-deprecation"))
    .join("\n")
    .trim();

interface Open {
  sagaId: string;
}

/** Brings what was left open to its end, as jobs would once the leases of the dead have ended. */
async function driveOn(by: Caller): Promise<void> {
  const tenantId = tenantIdFrom(by.tenantId);
  await systemQuery("test", "update sagas.saga set leased_until = now() where tenant_id = $1", [tenantId]);
  const open = await tenantQuery<Open>(
    by,
    "select id as \"sagaId\" from sagas.saga where tenant_id = $1 and state in ('running', 'compensating') limit 10000",
    [tenantId],
  );
  for (const { sagaId } of open) await runSaga(orderSaga, { tenantId, id: sagaId }, new AbortController().signal);
}

const stateCounts = (by: Caller): Promise<{ state: string; count: number }[]> =>
  tenantQuery(
    by,
    "select state, count(*)::int as count from records.sales_order where tenant_id = $1 group by state order by state",
    [by.tenantId],
  );

test("after every kill all entries come to nought, and in the end the ledger has what orders took", async () => {
  const random = createRandom(SEED);
  const by = createCaller();
  const { id: productId } = await product(by, { stock: STOCK, priceMinor: PRICE });
  const [bank, food] = [await account(by), await account(by)];
  const args = [by.tenantId, by.authData.userID, productId, bank.id, food.id];
  for (let kill = 0; kill < KILLS; kill++) {
    const { done, end, errors } = await runAndKill(args, random.integer(0, 300));
    expect({ end, errors: complaintsIn(errors) }).toEqual({
      end: "SIGKILL",
      errors: "",
    });
    expect(done).toBeGreaterThan(0);
    expect(await ledgerFaults(by), `kill ${kill} of seed ${SEED}`).toEqual({ unbalanced: 0, torn: 0 });
  }
  const isOver = async (): Promise<boolean> => {
    await driveOn(by);
    return (await stateCounts(by)).every(({ state }) => ["confirmed", "cancelled", "failed"].includes(state));
  };
  await expect.poll(isOver, { timeout: 120_000, interval: 500 }).toBe(true);
  const counts = Object.fromEntries((await stateCounts(by)).map(({ state, count }) => [state, count]));
  const { confirmed = 0 } = counts;
  expect(confirmed).toBeGreaterThan(KILLS);
  expect(await ledgerFaults(by)).toEqual({ unbalanced: 0, torn: 0 });
  expect(await stockOf(by, productId)).toBe(STOCK - confirmed);
  const { items } = await records.listAccounts({ code: ["eq.orders:payments"] }, by);
  expect(await balanceOf(by, items[0]!.id)).toEqual({ EUR: confirmed * PRICE });
  const orders = await tenantQuery<{ id: string; state: string }>(
    by,
    "select id, state from records.sales_order where tenant_id = $1 limit 10000",
    [by.tenantId],
  );
  for (const { id, state } of orders) {
    const posted = (await postedOf(by, id)).join();
    expect(state === "confirmed" ? ["order_payment"] : ["", "order_payment,order_refund"]).toContain(posted);
  }
}, 300_000);

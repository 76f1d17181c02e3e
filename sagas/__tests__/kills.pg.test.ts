// A real process is killed (SIGKILL) in each step and each undo, before its effect and behind it, and another one takes the
// saga up. crashes.test.ts has every message between them.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, expect, test } from "vitest";
import * as ledger from "./ledger";

const PLACES = {
  order: ["do:reserve", "do:charge", "do:ship"],
  doomed: ["do:reserve", "do:charge", "do:ship", "undo:charge", "undo:reserve"],
} as const;
const AT_ONCE = 2;

const root = join(import.meta.dirname, "..", "..");
const program = join(root, ".groundwork", `dying-process-${process.pid}.mjs`);
const living = new Set<ReturnType<typeof spawn>>();

beforeAll(async () => {
  const entryPoints = [join(import.meta.dirname, "dying-process.ts")];
  await build({
    ...{ entryPoints, outfile: program, bundle: true, platform: "node", target: "node20", format: "esm" },
    ...{ packages: "external", logLevel: "error" },
  });
});

afterAll(() => {
  for (const child of living) child.kill("SIGKILL");
});

/** What ended it, and what it asked of other systems. */
function run(args: string[]): Promise<{ end: NodeJS.Signals | number | null; asked: string[]; errors: string }> {
  const child = spawn(process.execPath, [program, ...args], { stdio: ["ignore", "pipe", "pipe"], env: process.env });
  living.add(child);
  let [text, errors] = ["", ""];
  child.stdout.on("data", (part: Buffer) => (text += part.toString()));
  child.stderr.on("data", (part: Buffer) => (errors += part.toString()));
  return new Promise((resolve) => {
    child.once("close", (code, signal) => {
      living.delete(child);
      const asked = text.split("\n").filter((line) => /^(?:charge|refund) /.test(line));
      resolve({ end: signal ?? code, asked, errors });
    });
  });
}

test("a saga whose process is killed in any step or undo is all done or all undone", { timeout: 180_000 }, async () => {
  const cases = (["order", "doomed"] as const).flatMap((which) =>
    PLACES[which].flatMap((what) => ["before", "behind"].map((side) => ({ which, place: `${side} ${what}` }))),
  );
  const endings: unknown[] = [];
  const killAndTakeUp = async ({ which, place }: (typeof cases)[number]): Promise<void> => {
    const saga = which === "order" ? ledger.order : ledger.doomed;
    const tenantId = ledger.newTenant();
    const id = await ledger.begin(tenantId, saga);
    const { end, asked, errors } = await run([which, tenantId, id, place]);
    for (const line of asked) {
      const [what, key = ""] = line.split(" ");
      if (what === "charge") ledger.payments.charge(key);
      else ledger.payments.refund(key);
    }
    await ledger.endLeases(tenantId);
    await ledger.drive(saga, tenantId, id);
    const faults = await ledger.faultsOf(tenantId, id, ["reserve", "ship"]);
    endings.push({
      which,
      place,
      end: end === "SIGKILL" ? end : `${String(end)} ${errors}`,
      state: await ledger.stateOf(id),
      faults,
    });
  };
  const work = [...cases];
  const takeOne = async (): Promise<void> => {
    for (let next = work.shift(); next !== undefined; next = work.shift()) await killAndTakeUp(next);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, takeOne));
  const state = { order: "completed", doomed: "compensated" };
  expect(endings).toHaveLength(16);
  expect(endings).toEqual(
    expect.arrayContaining(
      cases.map(({ which, place }) => ({ which, place, end: "SIGKILL", state: state[which], faults: [] })),
    ),
  );
});

// What flows promise on every backend: each suite that imports this runs it on the one its process is configured for.
import { beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { newId } from "../../db/ids";
import { systemQuery, withTenant } from "../../db/tenant";
import { tenantIdFrom, type TenantId } from "../../security/principal";
import { runRelayAndWorkers } from "../../testing";
import { cancelTask } from "../cancel";
import { RETRY } from "../conventions";
import { redriveJobs } from "../dead-letters";
import { FLOW_CHILD_HEADER } from "../envelope";
import { endChild, enqueueFlow, flowJob, healFlows, type FlowChild } from "../flow";
import { defineJob } from "../job";
import { startWorkers } from "../start";
import { taskFind } from "../store/task";
import { makeWorker, UnrecoverableJobError, type JobFailure } from "../worker";

const part = defineJob({
  name: "test:flow-part",
  payload: z.object({ n: z.number(), act: z.enum(["end", "fail", "hold"]) }),
  timeoutMs: 60_000,
  retry: RETRY.once,
  concurrency: 8,
});
const parent = defineJob({
  name: "test:flow-parent",
  payload: z.object({ name: z.string() }),
  timeoutMs: 60_000,
  retry: RETRY.once,
});
/** Nobody runs it. */
const nobodys = defineJob({ name: "test:flow-nobodys", payload: z.object({}), timeoutMs: 1_000 });

const runs: { name: string; tenantId: TenantId | null; children: readonly FlowChild[] }[] = [];
const failures: { name: string; failure: JobFailure; letters: number }[] = [];
let letGo = (): void => undefined;
const gone = new Promise<void>((resolve) => (letGo = resolve));
const ended: number[] = [];
const workers = [
  makeWorker(part, async ({ n, act }) => {
    if (act === "fail") throw new UnrecoverableJobError("it cannot be done");
    if (act === "hold") await gone;
    ended.push(n);
    return { square: n * n };
  }),
  makeWorker(
    parent,
    async ({ name }, { tenantId, children }) => {
      runs.push({ name, tenantId, children: await children() });
    },
    {
      // Sees the dead letter that is not committed yet: it acts in the same transaction.
      onFailed: async (tx, { name }, failure) => {
        const letters = await tx.query("select 1 from queues.dead_letter where job_id = $1", [failure.jobId]);
        failures.push({ name, failure, letters: letters.length });
      },
    },
  ),
];

const runsOf = (name: string) => runs.filter((run) => run.name === name);
const failuresOf = (name: string) => failures.filter((failure) => failure.name === name);
const flowOf = (tenantId: TenantId, name: string, acts: ("end" | "fail" | "hold")[], dedupeKey?: string) =>
  withTenant({ tenantId }, (tx) =>
    enqueueFlow(
      tx,
      flowJob(parent, { name }),
      acts.map((act, n) => flowJob(part, { n, act })),
      dedupeKey === undefined ? {} : { dedupeKey },
    ),
  );
const childrenOf = (flowId: string): Promise<{ id: string; state: string }[]> =>
  systemQuery("test", "select id, state from queues.flow_child where flow_id = $1 order by place", [flowId]);
const stateOf = async (tenantId: TenantId, id: string) => (await taskFind({ tenantId }, id))?.state;

runRelayAndWorkers();

describe("a flow", () => {
  const tenantId = tenantIdFrom(newId());
  beforeAll(() => startWorkers(workers));

  it("runs its parent once, when all children have completed, with their results", async () => {
    const id = await flowOf(tenantId, "whole", ["end", "hold", "end"]);
    await expect.poll(() => ended.toSorted()).toEqual([0, 2]);
    expect(await stateOf(tenantId, id)).toBe("waiting");
    expect(runsOf("whole")).toEqual([]);
    letGo();
    await expect.poll(() => runsOf("whole").length).toBe(1);
    expect(runsOf("whole")).toMatchObject([
      {
        tenantId,
        children: [0, 1, 2].map((n) => ({ job: part.name, state: "completed", result: { square: n * n } })),
      },
    ]);
    await expect.poll(() => stateOf(tenantId, id)).toBe("completed");
    // A child that runs again, after a crash or a redrive, has ended already.
    const [child] = await childrenOf(id);
    const again = { headers: { [FLOW_CHILD_HEADER]: child?.id ?? "" }, tenantId };
    for (const state of ["failed", "completed"] as const) await endChild(again, { state });
    expect((await childrenOf(id)).map(({ state }) => state)).toEqual(["completed", "completed", "completed"]);
    expect((await systemQuery("test", "select 1 from events.outbox where id = $1", [id])).length).toBe(1);
  });

  it("fails its parent at once when a child fails for good, in one transaction with the dead letter, and runs it when both are redriven", async () => {
    const id = await withTenant({ tenantId }, (tx) =>
      enqueueFlow(tx, flowJob(parent, { name: "broken" }), [
        flowJob(nobodys, {}),
        flowJob(part, { n: 5, act: "fail" }),
      ]),
    );
    await expect.poll(() => failuresOf("broken").length).toBe(1);
    expect(failuresOf("broken")).toMatchObject([
      { failure: { reason: "child_failed", tenantId, jobId: id }, letters: 1 },
    ]);
    await expect.poll(() => stateOf(tenantId, id)).toBe("failed");
    const [waiting, failed] = await childrenOf(id);
    expect([waiting?.state, failed?.state]).toEqual(["waiting", "failed"]);
    // The other one goes on, and changes nothing; the failed one is mended.
    for (const child of [waiting, failed])
      await endChild({ headers: { [FLOW_CHILD_HEADER]: child?.id ?? "" }, tenantId }, { state: "completed" });
    expect(runsOf("broken")).toEqual([]);
    await withTenant({ tenantId }, (tx) => redriveJobs(tx, { tenantId, filter: { source: parent.name } }));
    await expect.poll(() => runsOf("broken").length).toBe(1);
    expect(runsOf("broken")[0]?.children.map(({ state }) => state)).toEqual(["completed", "completed"]);
    expect(failuresOf("broken").length).toBe(1);
  });

  it("exists if and only if its transaction commits, and once for a key", async () => {
    const boom = new Error("rolled back");
    const other = tenantIdFrom(newId());
    const lost = withTenant({ tenantId: other }, async (tx) => {
      await enqueueFlow(tx, flowJob(parent, { name: "lost" }), [flowJob(part, { n: 7, act: "end" })]);
      throw boom;
    });
    await expect(lost).rejects.toBe(boom);
    const ids = [await flowOf(other, "keyed", ["end"], "key"), await flowOf(other, "keyed", ["end"], "key")];
    expect(ids[0]).toBe(ids[1]);
    await expect.poll(() => runsOf("keyed").length).toBe(1);
    expect(runsOf("lost")).toEqual([]);
    const rows = await systemQuery("test", "select 1 from queues.flow where tenant_id = $1", [other]);
    expect(rows.length).toBe(1);
    await expect(withTenant({ tenantId: other }, (tx) => enqueueFlow(tx, flowJob(nobodys, {}), []))).rejects.toThrow(
      "a flow has 1 to 1000 children, not 0",
    );
  });

  it("never runs a parent that was called off while it waited, and tells its owner at once", async () => {
    const other = tenantIdFrom(newId());
    const id = await withTenant({ tenantId: other }, (tx) =>
      enqueueFlow(tx, flowJob(parent, { name: "off" }), [flowJob(nobodys, {})]),
    );
    await cancelTask({ tenantId: other }, id);
    await expect.poll(() => failuresOf("off")).toMatchObject([{ failure: { reason: "canceled" }, letters: 0 }]);
    await expect.poll(() => stateOf(other, id)).toBe("canceled");
    const [child] = await childrenOf(id);
    await endChild({ headers: { [FLOW_CHILD_HEADER]: child?.id ?? "" }, tenantId: other }, { state: "completed" });
    expect((await systemQuery("test", "select 1 from events.outbox where id = $1", [id])).length).toBe(1);
    expect(runsOf("off")).toEqual([]);
  });

  it("hears from the registry of a child that ended without telling it", async () => {
    const other = tenantIdFrom(newId());
    const id = await withTenant({ tenantId: other }, (tx) =>
      enqueueFlow(tx, flowJob(parent, { name: "untold" }), [flowJob(nobodys, {})]),
    );
    const end = `update queues.task t set state = 'failed', reason = 'lost', ended_at = now() - interval '1 hour'
                   from queues.flow_child c where c.id = t.id and c.flow_id = $1`;
    await systemQuery("test", end, [id]);
    expect(await healFlows()).toBeGreaterThanOrEqual(1);
    await expect.poll(() => failuresOf("untold")).toMatchObject([{ failure: { reason: "child_failed" } }]);
  });

  it("hears of it although the ends of others cannot be noted, of more than are looked at together", async () => {
    const other = tenantIdFrom(newId());
    const flow = (name: string): Promise<string> =>
      withTenant({ tenantId: other }, (tx) => enqueueFlow(tx, flowJob(parent, { name }), [flowJob(nobodys, {})]));
    const ids = [await flow("cannot-be-noted"), await flow("cannot-be-noted"), await flow("behind-them")];
    // `running` is no state of a child: its end is refused.
    const end = `update queues.task t set state = case when c.flow_id = $3 then 'failed' else 'running' end, ended_at = now() - interval '1 hour'
                   from queues.flow_child c where c.id = t.id and c.flow_id in ($1, $2, $3)`;
    await systemQuery("test", end, ids);
    await expect(healFlows(2)).rejects.toThrow("2 steps failed");
    await expect.poll(() => failuresOf("behind-them")).toMatchObject([{ failure: { reason: "child_failed" } }]);
    await systemQuery("test", "update queues.task t set ended_at = null where tenant_id = $1", [other]);
  });
});

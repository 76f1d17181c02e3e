// A job that begins when others have completed: a parent with its children, by BullMQ's semantics (a parent waits for its children and reads
// their results; failParentOnFailure: it fails as soon as one of them fails for good, and the others go on). Not by BullMQ's flows,
// which are put into its storage whole and at once, past the outbox: here children are jobs like any others, and their ends
// are counted in Postgres. The transaction that notes the last end, or a failure, puts the parent into the outbox.
// A child's end is noted before BullMQ hears of it, so a crash in between runs the child again and counts it once.
//
//   waiting → released   all children have completed: the parent runs
//   waiting → released   a child has failed for good or was canceled: the parent is a dead letter (`child_failed`), its onFailed is called
//   waiting → released   the parent was canceled: it never runs, its onFailed is called
//
// Sources: BullMQ (flows), River Pro (workflows: ends of tasks in Postgres), Sidekiq (batches: a callback when all jobs have ended).
import { idFromParts, isUuid, newId } from "../db/ids";
import { systemQuery, withSystem, withTenant, type Tx } from "../db/tenant";
import { BEFORE_ALL, doEach, removeInBatches } from "../db/upkeep";
import { payloadText } from "../events/outbox";
import type { TenantId } from "../security/principal";
import { provenanceHeaders } from "../security/provenance";
import { traceHeaders } from "../telemetry/tracing";
import { appendJob, type EnqueueOptions } from "./enqueue";
import { FLOW_CHILD_HEADER, FLOW_FAILED_HEADER, FLOW_HEADER } from "./envelope";
import { payloadHeader } from "./give-back";
import type { JobDefinition } from "./job";
import * as store from "./store/flow";

const CHILDREN_MAX = 1_000;

/** A job with its payload, one of several of different types. */
export interface FlowJob {
  readonly job: JobDefinition;
  readonly payload: unknown;
}

/** A job with a payload that fits it, for `enqueueFlow`. Throws ZodError when it does not. */
export function flowJob<Payload>(job: JobDefinition<Payload>, payload: Payload): FlowJob {
  return { job, payload: job.payload.parse(payload) };
}

export type FlowChild = store.EndedChild;

/**
 * Asks for `children` now, and for `parent` when all of them have completed: its handler asks `ctx.children()` for their results. When
 * one fails for good, the parent fails without having run. All of it exists if and only if the transaction commits.
 * Resolves with the id of the parent. Throws RangeError for no children or more than a thousand.
 */
export async function enqueueFlow(
  tx: Tx,
  parent: FlowJob,
  children: readonly FlowJob[],
  options: Pick<EnqueueOptions, "dedupeKey" | "tenantId"> = {},
): Promise<string> {
  if (children.length === 0 || children.length > CHILDREN_MAX)
    throw new RangeError(`a flow has 1 to ${CHILDREN_MAX} children, not ${children.length}`);
  const tenantId = options.tenantId === undefined ? tx.tenantId : options.tenantId;
  const { name } = parent.job;
  const id = options.dedupeKey === undefined ? newId() : idFromParts("flow", name, tenantId ?? "", options.dedupeKey);
  const headers = { ...traceHeaders(), ...provenanceHeaders(id), ...payloadHeader(parent.job), [FLOW_HEADER]: id };
  const flow: store.FlowRow = { id, tenantId, job: name, payload: parent.payload, headers };
  payloadText({ type: name, payload: parent.payload }); // what the outbox would refuse later is refused now
  if (!(await store.flowInsert(tx, flow, children.length))) return id;
  const rows = children.map(({ job, payload }) => ({ id: newId(), job: job.name, payload }));
  await store.flowChildrenInsert(tx, flow, rows);
  const marks = children.map(({ job }) => payloadHeader(job));
  for (const [place, row] of rows.entries())
    await appendJob(tx, { ...row, tenantId, headers: { ...marks[place], [FLOW_CHILD_HEADER]: row.id } });
  return id;
}

/** What is noted of a child's end. */
export interface ChildEnd {
  state: store.ChildEnd["state"];
  /** JSON. */
  result?: string | null;
  reason?: string | null;
}

interface OfFlow {
  headers: Readonly<Record<string, string>>;
  tenantId: TenantId | null;
}

/** Notes the end of a job if it is a child; the parent goes into the outbox with the last of them, or the first that has not completed. */
export async function endChild({ headers, tenantId }: OfFlow, end: ChildEnd): Promise<void> {
  const childId = headers[FLOW_CHILD_HEADER];
  if (childId === undefined || !isUuid(childId)) return;
  const { state, result = null, reason = null } = end;
  await inScopeOf(tenantId, async (tx) => {
    const flowId = await store.flowChildEnd(tx, tenantId, childId, { state, result, reason });
    if (flowId === undefined) return;
    const isFailed = state !== "completed";
    const flow = await store.flowCountDown(tx, tenantId, flowId, isFailed);
    if (flow !== undefined)
      await appendJob(tx, isFailed ? { ...flow, headers: { ...flow.headers, [FLOW_FAILED_HEADER]: childId } } : flow);
  });
}

/** A parent that was called off while it waited comes now, to tell its owner. */
export async function callOffFlow(tx: Tx, tenantId: TenantId, id: string): Promise<void> {
  const flow = await store.flowRelease(tx, tenantId, id);
  if (flow !== undefined) await appendJob(tx, flow);
}

/** How the children of the flow have ended whose parent has these headers; none when it is of no flow. */
export async function childrenOf({ headers, tenantId }: OfFlow): Promise<readonly FlowChild[]> {
  const flowId = headers[FLOW_HEADER];
  if (flowId === undefined || !isUuid(flowId)) return [];
  return inScopeOf(tenantId, (tx) => store.flowChildren(tx, tenantId, flowId));
}

function inScopeOf<T>(tenantId: TenantId | null, fn: (tx: Tx) => Promise<T>): Promise<T> {
  return tenantId === null ? withSystem("job-flow", fn) : withTenant({ tenantId }, fn);
}

const HEAL_PAGE = 1_000;

interface Untold extends Required<ChildEnd> {
  id: string;
  tenantId: TenantId | null;
}

/**
 * Notes ends that only the registry of tasks knows of: a job that ended its process at the wrong moment, or was lost. Page by page
 * up to the last one, so that those that cannot be noted hold up nobody, however many they are. Resolves with how many.
 * @throws what could not be noted, once all had their turn
 */
export async function healFlows(page = HEAL_PAGE): Promise<number> {
  let healed = 0;
  await doEach(
    (async function* () {
      for await (const { id, tenantId, ...end } of untoldChildren(page))
        yield async () => {
          await endChild({ headers: { [FLOW_CHILD_HEADER]: id }, tenantId }, end);
          healed++;
        };
    })(),
  );
  return healed;
}

async function* untoldChildren(size: number): AsyncGenerator<Untold> {
  for (let after: string | undefined = BEFORE_ALL; after !== undefined;) {
    const page: Untold[] = await systemQuery<Untold>("job-flow", store.FLOWS_UNTOLD, [after, size]);
    yield* page;
    after = page.length === size ? page.at(-1)?.id : undefined;
  }
}

/** As long as dead letters: a parent may be redriven, and asks for its children again. */
const KEEP_DAYS = 90;
const UPKEEP = { statementTimeoutMs: 30_000, totalMs: 60_000, batchMax: 1_000 };

/** Forgets flows that were released long ago; resolves with how many. */
export function purgeFlows(): Promise<number> {
  return removeInBatches("job-flow", UPKEEP, (tx, limit) => store.flowPurge(tx, KEEP_DAYS, limit));
}

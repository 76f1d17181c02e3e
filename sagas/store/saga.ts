// Statements on sagas.saga and sagas.step.
import { beforeCursor, cursorMicros, cursorParams, pageOf, type Cursor, type Page } from "../../db/cursor";
import { tenantQuery, type TenantScope, type Tx } from "../../db/tenant";
import { uniformRead } from "../../db/uniform-read";
import type { TenantId } from "../../security/principal";

export type SagaState = "running" | "compensating" | "stuck" | "completed" | "compensated";
export type StepState = "running" | "completed" | "failed" | "undoing" | "undone" | "skipped";

export interface SagaRow {
  id: string;
  tenantId: TenantId;
  name: string;
  version: number;
  stepNames: string[];
  input: unknown;
  actor: string;
  correlationId: string;
  state: SagaState;
  position: number;
  reason: string | null;
  stuckReason: string | null;
  stuckState: "running" | "compensating" | null;
  isCanceling: boolean;
  createdAt: Date;
  /** By the database's clock. */
  ageMs: number;
  endedAt: Date | null;
  cursorMicros: string;
}

export interface StepRow {
  position: number;
  name: string;
  state: StepState;
  begun: number;
  failed: number;
  result: unknown;
  startedAt: Date;
  endedAt: Date | null;
}

const COLUMNS = `id, tenant_id as "tenantId", name, version, step_names as "stepNames", input, actor, correlation_id as "correlationId",
  state, position, reason, stuck_reason as "stuckReason", stuck_state as "stuckState", cancel_at is not null as "isCanceling",
  created_at as "createdAt", (extract(epoch from now() - created_at) * 1000)::float8 as "ageMs", ended_at as "endedAt",
  ${cursorMicros("created_at")} as "cursorMicros"`;
const STEP_COLUMNS = `position, name, state, begun, failed, result, started_at as "startedAt", ended_at as "endedAt"`;

export type SagaInsert = Pick<
  SagaRow,
  "id" | "tenantId" | "name" | "version" | "stepNames" | "actor" | "correlationId"
> & { inputText: string };

/** False when it is there already: one that is started again by its dedupe key is the same. */
export async function sagaInsert(tx: Tx, saga: SagaInsert): Promise<boolean> {
  const { id, tenantId, name, version, stepNames, inputText, actor, correlationId } = saga;
  const rows = await tx.execute(
    `insert into sagas.saga (id, tenant_id, name, version, step_names, input, actor, correlation_id, state)
     values ($1, $2, $3, $4, $5, $6::jsonb, $7, $8, 'running') on conflict (id) do nothing`,
    [id, tenantId, name, version, stepNames, inputText, actor, correlationId],
  );
  return rows > 0;
}

/**
 * Takes the turn of one that is open and due, or keeps it; undefined when another run has it, it waits for its time or for a person,
 * ended or is none, or is of another definition than who would drive it. Of several jobs that wait to drive it, one does, and each
 * attempt waits its time.
 */
export async function sagaTake(
  tx: Tx,
  { tenantId, id, runId }: Turn,
  { name, version }: Pick<SagaRow, "name" | "version">,
  leaseMs: number,
): Promise<SagaRow | undefined> {
  const [row] = await tx.query<SagaRow>(
    `update sagas.saga set run_id = $3, leased_until = now() + $4 * interval '1 millisecond', due_at = now()
      where tenant_id = $1 and id = $2 and name = $5 and version = $6 and state in ('running', 'compensating')
        and (run_id = $3 or due_at <= now() and (run_id is null or leased_until < now()))
     returning ${COLUMNS}`,
    [tenantId, id, runId, leaseMs, name, version],
  );
  return row;
}

/** Holds on to the turn; no row when another run has taken it. */
export const SAGA_HOLD = `
  update sagas.saga set leased_until = now() + $4 * interval '1 millisecond'
   where tenant_id = $1 and id = $2 and run_id = $3
  returning cancel_at is not null as "isCanceling"`;

export interface Turn {
  tenantId: TenantId;
  id: string;
  /** Whoever has it: nothing of a run that has lost its turn commits. */
  runId: string;
}

/** Locks the row. Undefined when another run has the turn, or it has gone on after all. */
export async function sagaLock(
  tx: Tx,
  { tenantId, id, runId }: Turn,
  at: { state: "running" | "compensating"; position: number },
): Promise<{ isCanceling: boolean } | undefined> {
  const [row] = await tx.query<{ isCanceling: boolean }>(
    `select cancel_at is not null as "isCanceling" from sagas.saga
      where tenant_id = $1 and id = $2 and run_id = $3 and state = $4 and position = $5 for update`,
    [tenantId, id, runId, at.state, at.position],
  );
  return row;
}

/** Goes on to `position` in `state`. False when another run has the turn: nothing of this one may commit then. */
export async function sagaMove(
  tx: Tx,
  { tenantId, id, runId }: Turn,
  to: { state: "running" | "compensating"; from: number; position: number; reason?: string },
): Promise<boolean> {
  const rows = await tx.execute(
    `update sagas.saga set state = $4, position = $6, reason = coalesce($7, reason), due_at = now()
      where tenant_id = $1 and id = $2 and run_id = $3 and position = $5
        and (state = $4 or state = 'running' and $4 = 'compensating')`,
    [tenantId, id, runId, to.state, to.from, to.position, to.reason ?? null],
  );
  return rows > 0;
}

/** Gives the turn back; what follows is due in `delayMs`. */
export async function sagaRelease(tx: Tx, tenantId: TenantId, id: string, delayMs: number): Promise<void> {
  await tx.execute(
    `update sagas.saga set run_id = null, leased_until = null, due_at = now() + $3 * interval '1 millisecond'
      where tenant_id = $1 and id = $2`,
    [tenantId, id, delayMs],
  );
}

/** Gives the turn back, unless another run has it. */
export async function sagaLetGo(tx: Tx, { tenantId, id, runId }: Turn): Promise<void> {
  await tx.execute(
    "update sagas.saga set run_id = null, leased_until = null where tenant_id = $1 and id = $2 and run_id = $3",
    [tenantId, id, runId],
  );
}

export async function sagaEnd(
  tx: Tx,
  tenantId: TenantId,
  id: string,
  state: "completed" | "compensated",
): Promise<void> {
  await tx.execute(
    `update sagas.saga set state = $3, ended_at = now(), run_id = null, leased_until = null where tenant_id = $1 and id = $2`,
    [tenantId, id, state],
  );
}

export async function sagaStick(tx: Tx, tenantId: TenantId, id: string, reason: string): Promise<void> {
  await tx.execute(
    `update sagas.saga set state = 'stuck', stuck_state = state, stuck_reason = $3, run_id = null, leased_until = null
      where tenant_id = $1 and id = $2`,
    [tenantId, id, reason],
  );
}

/** Asks for the undoing of one that runs, now; `isFirst` when nobody has yet. Undefined when it does not run. */
export async function sagaCancel(
  tx: Tx,
  tenantId: TenantId,
  id: string,
): Promise<(SagaRow & { isFirst: boolean }) | undefined> {
  const [row] = await tx.query<SagaRow & { isFirst: boolean }>(
    `update sagas.saga set cancel_at = coalesce(cancel_at, now()), due_at = case when was_at is null then now() else due_at end
       from (select id, cancel_at from sagas.saga where tenant_id = $1 and id = $2 and state = 'running' for update) as was (was_id, was_at)
      where tenant_id = $1 and id = was_id and state = 'running'
     returning ${COLUMNS}, was_at is null as "isFirst"`,
    [tenantId, id],
  );
  return row;
}

/** Locks the row of one that waits for a person. Undefined when it does not wait. */
export async function sagaFindStuck(tx: Tx, tenantId: TenantId, id: string): Promise<SagaRow | undefined> {
  const sql = `select ${COLUMNS} from sagas.saga where tenant_id = $1 and id = $2 and state = 'stuck' for update`;
  return (await tx.query<SagaRow>(sql, [tenantId, id]))[0];
}

/** One that waits for a person goes on where it was. Undefined when it does not wait. */
export async function sagaUnstick(tx: Tx, tenantId: TenantId, id: string): Promise<SagaRow | undefined> {
  const [row] = await tx.query<SagaRow>(
    `update sagas.saga set state = stuck_state, stuck_state = null, stuck_reason = null, due_at = now()
      where tenant_id = $1 and id = $2 and state = 'stuck' returning ${COLUMNS}`,
    [tenantId, id],
  );
  return row;
}

/** One attempt of what the step is at (`state`: running, or undoing) begins: counted before it runs. */
export async function stepBegin(
  tx: Tx,
  { tenantId, id, position, name, state }: StepName & { name: string; state: "running" | "undoing" },
): Promise<StepRow | undefined> {
  const [row] = await tx.query<StepRow>(
    `insert into sagas.step as s (tenant_id, saga_id, position, name, state, begun) values ($1, $2, $3, $4, $5, 1)
     on conflict (saga_id, position) do update
        set state = excluded.state, ended_at = null,
            begun = case when s.state = excluded.state then s.begun + 1 else 1 end,
            failed = case when s.state = excluded.state then s.failed else 0 end
     returning ${STEP_COLUMNS}`,
    [tenantId, id, position, name, state],
  );
  return row;
}

export interface StepName {
  tenantId: TenantId;
  id: string;
  position: number;
}

/** What it has come to; its result stays when none is given. */
export async function stepEnd(
  tx: Tx,
  { tenantId, id, position }: StepName,
  to: { state: StepState; resultText?: string | undefined },
): Promise<void> {
  await tx.execute(
    `update sagas.step set state = $4, result = coalesce($5::jsonb, result), ended_at = now()
      where tenant_id = $1 and saga_id = $2 and position = $3`,
    [tenantId, id, position, to.state, to.resultText ?? null],
  );
}

/** One more attempt failed; answers how many did. */
export async function stepFail(tx: Tx, { tenantId, id, position }: StepName, error: string): Promise<number> {
  const [row] = await tx.query<{ failed: number }>(
    `update sagas.step set failed = failed + 1, error = $4
      where tenant_id = $1 and saga_id = $2 and position = $3 returning failed`,
    [tenantId, id, position, error],
  );
  return row?.failed ?? 0;
}

/** All its attempts again. */
export async function stepForgive(tx: Tx, { tenantId, id, position }: StepName): Promise<void> {
  await tx.execute(
    "update sagas.step set begun = 0, failed = 0 where tenant_id = $1 and saga_id = $2 and position = $3",
    [tenantId, id, position],
  );
}

const STEPS = `select ${STEP_COLUMNS} from sagas.step where tenant_id = $1 and saga_id = $2 order by position limit 100`;

/** Those that were begun, in their order. */
export function stepList(tx: Tx, tenantId: TenantId, id: string): Promise<StepRow[]> {
  return tx.query<StepRow>(STEPS, [tenantId, id]);
}

export function stepListShown({ tenantId }: TenantScope, id: string): Promise<StepRow[]> {
  return tenantQuery<StepRow>({ tenantId }, STEPS, [tenantId, id]);
}

export async function sagaFind(scope: TenantScope, id: string): Promise<SagaRow | undefined> {
  const sql = `select ${COLUMNS} from sagas.saga where tenant_id = $1 and id = $2`;
  return (await tenantQuery<SagaRow>(scope, sql, [scope.tenantId, id]))[0];
}

/** On whose behalf it runs; undefined when the tenant has no such saga. */
export async function sagaActor(scope: TenantScope, id: string): Promise<string | undefined> {
  const sql = uniformRead("select actor from sagas.saga where tenant_id = $1 and id = $2");
  return (await tenantQuery<{ value: string | null }>(scope, sql, [scope.tenantId, id]))[0]?.value ?? undefined;
}

/** Newest first. */
export async function sagaList(
  scope: TenantScope,
  filter: { state: string | undefined; name: string | undefined; actor: string | undefined },
  limit: number,
  from: Cursor | undefined,
): Promise<Page<SagaRow>> {
  const rows = await tenantQuery<SagaRow>(
    scope,
    `select ${COLUMNS} from sagas.saga
      where tenant_id = $1 and ${beforeCursor("created_at", "id", 2)}
        and ($4::text is null or state = $4) and ($5::text is null or name = $5)
        and ($6::text is null or actor = $6)
      order by created_at desc, id desc limit $7`,
    [scope.tenantId, ...cursorParams(from), filter.state ?? null, filter.name ?? null, filter.actor ?? null, limit + 1],
  );
  return pageOf(rows, limit);
}

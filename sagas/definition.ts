// What a saga is: named steps, each with what undoes it. Nothing that runs.
// A step is a transaction of the tenant (`step`), which commits together with the note that it is done, or a call to another
// system (`call`), outside of any transaction. The name and the version say which definition a saga ends with; a change of
// its steps is a new version beside the old one. How others do it, and how their users were bitten:
//   Restate's guide registers an undo before the action, since an action that failed may have happened (docs.restate.dev/guides/sagas);
//   Temporal's Saga ran undos in the scope that was canceled, so that canceling undid nothing (temporalio/sdk-java #305);
//   Cadence's left open what follows from an undo that fails (cadence-java-client #340), here a state that a person sees;
//   DBOS binds a workflow to the version of the application that began it (docs.dbos.dev/architecture).
import type { z } from "zod";
import type { Tx } from "../db/tenant";
import { isJobName, RETRY, type RetryPolicy } from "../queues/conventions";
import type { TenantId } from "../security/principal";

/** Why a saga turns back that somebody called off. */
export const CANCELED = "canceled";

export interface StepContext<Input = unknown, Results = unknown> {
  readonly sagaId: string;
  readonly tenantId: TenantId;
  readonly input: Input;
  /** What the steps before resolved with, by their names, as JSON keeps it. */
  readonly results: Results;
  /** The same at every attempt, and at no other step or undo: the Idempotency-Key for another system. */
  readonly key: string;
  /** From 1. */
  readonly attempt: number;
  /** Aborts when the time is up, the saga is canceled or the process stops. */
  readonly signal: AbortSignal;
}

export interface UndoContext<Input, Results, Result> extends StepContext<Input, Results> {
  /** What the step resolved with. */
  readonly result: Result;
  /** The key that the step itself had. */
  readonly stepKey: string;
}

export interface StepSettings {
  /** One attempt, 30 s if not given. */
  readonly timeoutMs?: number;
  /** RETRY.standard if not given. */
  readonly retry?: RetryPolicy;
  /** Of the undo: twelve attempts over about an hour and a half if not given. */
  readonly undoRetry?: RetryPolicy;
}

export interface TransactionStep<Input, Results, Result> extends StepSettings {
  /** Its effects belong into `tx`: then there are all of them once, or none. */
  run(tx: Tx, ctx: StepContext<Input, Results>): Promise<Result>;
  /** Only for a step that has committed. To be said for each step, so that none is forgotten: "nothing" if it leaves nothing. */
  readonly undo: "nothing" | ((tx: Tx, ctx: UndoContext<Input, Results, Result>) => Promise<unknown>);
}

export interface CallStep<Input, Results, Result> extends StepSettings {
  /** At least once: `ctx.key` is for the other system, so that it acts once. */
  run(ctx: StepContext<Input, Results>): Promise<Result>;
  /** At least once, and also when nobody knows whether the call had an effect: `result` is then undefined. */
  readonly undo: "nothing" | ((ctx: UndoContext<Input, Results, Result | undefined>) => Promise<unknown>);
}

interface Timing {
  readonly timeoutMs: number;
  readonly retry: RetryPolicy;
  readonly undoRetry: RetryPolicy;
}
type AnyUndo = UndoContext<unknown, unknown, unknown>;

/** As the runner sees it. */
export type Step = { readonly name: string } & Timing &
  (
    | {
        readonly kind: "transaction";
        run(tx: Tx, ctx: StepContext): Promise<unknown>;
        readonly undo: "nothing" | ((tx: Tx, ctx: AnyUndo) => Promise<unknown>);
      }
    | {
        readonly kind: "call";
        run(ctx: StepContext): Promise<unknown>;
        readonly undo: "nothing" | ((ctx: AnyUndo) => Promise<unknown>);
      }
  );

export interface Saga<Input = unknown> {
  /** "domain:action"; the domain is the service whose processes run it. */
  readonly name: string;
  readonly version: number;
  readonly input: z.ZodType<Input>;
  readonly steps: readonly Step[];
}

export interface SagaDefinition<Input, Results> extends Saga<Input> {
  /** The same with one more step, in a transaction. */
  step<const Name extends string, Result>(
    name: Name,
    spec: TransactionStep<Input, Results, Result>,
  ): SagaDefinition<Input, Results & { readonly [K in Name]: Result }>;
  /** The same with one more step, outside of any transaction. */
  call<const Name extends string, Result>(
    name: Name,
    spec: CallStep<Input, Results, Result>,
  ): SagaDefinition<Input, Results & { readonly [K in Name]: Result }>;
}

const TIMEOUT_MS = 30_000;
const UNDO_RETRY: RetryPolicy = { attempts: 12, firstDelayMs: 1_000, maxDelayMs: 900_000, jitter: 0.5 };
const STEPS_MAX = 100;
const STEP_NAME = /^[a-z][a-z0-9-]{0,62}$/;

/** Declares a saga without steps yet. Throws TypeError at load for a name, version or step that cannot be. */
export function defineSaga<Input>(head: {
  name: string;
  version: number;
  input: z.ZodType<Input>;
}): SagaDefinition<Input, object> {
  const { name, version } = head;
  if (!isJobName(name)) throw new TypeError(`saga name "${name}" is not of the form domain:action`);
  if (!Number.isInteger(version) || version < 1)
    throw new TypeError(`saga ${name}: version ${version} is not a positive integer`);
  return definitionOf<Input, object>(head, []);
}

function definitionOf<Input, Results>(
  head: Omit<Saga<Input>, "steps">,
  steps: readonly Step[],
): SagaDefinition<Input, Results> {
  const add = (kind: Step["kind"], name: string, spec: StepSettings & { run: unknown; undo: unknown }) => {
    const where = `saga ${head.name}@${head.version}`;
    if (!STEP_NAME.test(name)) throw new TypeError(`${where}: step "${name}" is not lower case with hyphens`);
    if (steps.some((step) => step.name === name)) throw new TypeError(`${where} has two steps "${name}"`);
    if (steps.length === STEPS_MAX) throw new TypeError(`${where} has more than ${STEPS_MAX} steps`);
    const { run, undo, timeoutMs = TIMEOUT_MS, retry = RETRY.standard, undoRetry = UNDO_RETRY } = spec;
    // What it is given at run is what the types of this definition say: written by startSaga and by the steps before.
    const step = { kind, name, run, undo, timeoutMs, retry, undoRetry } as unknown as Step;
    return definitionOf<Input, never>(head, [...steps, Object.freeze(step)]);
  };
  return Object.freeze({
    ...head,
    steps,
    step: (name, spec) => add("transaction", name, spec),
    call: (name, spec) => add("call", name, spec),
  } satisfies SagaDefinition<Input, Results>);
}

/** Thrown by a step that no further attempt can help: the saga is undone. `reason` is shown, in one lower_snake word. */
export class UnrecoverableStepError extends Error {
  override readonly name = "UnrecoverableStepError";

  constructor(
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`the step cannot succeed: ${reason}`, options);
    if (!REASON.test(reason)) throw new TypeError(`reason "${reason}" is not in lower_snake_case`);
  }
}

const REASON = /^[a-z][a-z0-9_]{0,62}$/;

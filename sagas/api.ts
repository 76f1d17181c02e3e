// Sagas of an organisation: how far each has come, and what people may do to it.
import { api, type Query } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { Max, MaxLen, Min } from "encore.dev/validate";
import { parseCursor } from "../db/cursor";
import { isUuid } from "../db/ids";
import { declareOwner, ownOnly } from "../security/ownership";
import { currentPrincipal, type Principal } from "../security/principal";
import { errors } from "./errors";
import { cancelSaga, retrySaga, skipUndo } from "./operation";
import { sagaActor, sagaFind, sagaList, stepListShown, type SagaRow } from "./store/saga";
import { purgeSagas } from "./upkeep";

interface SagaSummary {
  id: string;
  /** "domain:action". */
  name: string;
  version: number;
  /** Stuck: an undo failed for good, or the definition is another one, and a person has to say how it goes on. */
  state: "running" | "compensating" | "stuck" | "completed" | "compensated";
  /** Why it is undone, in one lower_snake word. */
  reason?: string;
  /** Why it is stuck, in one lower_snake word. */
  stuckReason?: string;
  /** True while a cancellation has not reached it yet. */
  canceling: boolean;
  /** ISO 8601. */
  createdAt: string;
  endedAt?: string;
}

function shown(row: SagaRow): SagaSummary {
  const { id, name, version, state, reason, stuckReason, isCanceling, createdAt, endedAt } = row;
  return {
    id,
    name,
    version,
    state,
    ...(reason === null ? {} : { reason }),
    ...(stuckReason === null ? {} : { stuckReason }),
    canceling: isCanceling && state === "running",
    createdAt: createdAt.toISOString(),
    ...(endedAt === null ? {} : { endedAt: endedAt.toISOString() }),
  };
}

/** @throws APIError saga_not_found, the same for another organisation's */
async function find(principal: Principal, id: string): Promise<SagaRow> {
  const row = isUuid(id) ? await sagaFind(principal, id) : undefined;
  if (row === undefined) throw errors.saga_not_found();
  return row;
}

declareOwner("saga", {
  ownerOf: (principal, id) => (isUuid(id) ? sagaActor(principal, id) : Promise.resolve(undefined)),
  missing: () => errors.saga_not_found(),
});

interface ListSagasRequest {
  state?: Query<"running" | "compensating" | "stuck" | "completed" | "compensated">;
  /** Only those of this name, "domain:action". */
  name?: Query<string & MaxLen<200>>;
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface ListSagasResponse {
  sagas: SagaSummary[];
  /** Absent on the last page. */
  next?: string;
}

/** The caller's sagas, or those of the whole organisation for who manages them, the newest first; one that ended is kept for thirty days. */
export const listSagas = api(
  { expose: true, auth: true, method: "GET", path: "/sagas", tags: ["can:saga.read"] },
  async ({ state, name, limit, cursor }: ListSagasRequest): Promise<ListSagasResponse> => {
    const from = parseCursor(cursor);
    const principal = currentPrincipal();
    const filter = { state, name, actor: ownOnly(principal, "saga.manage") };
    const { rows, next } = await sagaList(principal, filter, Math.floor(limit ?? 50), from);
    return { sagas: rows.map(shown), ...(next === undefined ? {} : { next }) };
  },
);

interface SagaStep {
  name: string;
  /** Waiting: not begun. Failed: given up without an effect. Skipped: its undo was left to a person. */
  state: "waiting" | "running" | "completed" | "failed" | "undoing" | "undone" | "skipped";
  /** Attempts of what it is at or came to last. */
  attempts: number;
  /** ISO 8601. */
  startedAt?: string;
  endedAt?: string;
}

interface SagaResponse extends SagaSummary {
  steps: SagaStep[];
}

/** One saga, with its steps. */
export const getSaga = api(
  { expose: true, auth: true, method: "GET", path: "/sagas/:id", tags: ["can:saga.read", "owns:saga"] },
  async ({ id }: { id: string }): Promise<SagaResponse> => {
    const principal = currentPrincipal();
    const row = await find(principal, id);
    const known = new Map((await stepListShown(principal, id)).map((step) => [step.position, step]));
    const steps = row.stepNames.map((name, position): SagaStep => {
      const step = known.get(position);
      if (step === undefined) return { name, state: "waiting", attempts: 0 };
      const { state, begun, startedAt, endedAt } = step;
      const ended = endedAt === null ? {} : { endedAt: endedAt.toISOString() };
      return { name, state, attempts: begun, startedAt: startedAt.toISOString(), ...ended };
    });
    return { ...shown(row), steps };
  },
);

/** Calls a saga off: the step that runs is aborted within two seconds, and what was done is undone. */
export const cancel = api(
  { expose: true, auth: true, method: "POST", path: "/sagas/:id/cancel", tags: ["can:saga.cancel", "owns:saga"] },
  async ({ id }: { id: string }): Promise<SagaSummary> => {
    const principal = currentPrincipal();
    await find(principal, id);
    return shown(await cancelSaga(principal, id));
  },
);

/** Tries again what a stuck saga is stuck at, with all its attempts. */
export const retry = api(
  { expose: true, auth: true, method: "POST", path: "/sagas/:id/retry", tags: ["can:saga.manage"] },
  async ({ id }: { id: string }): Promise<SagaSummary> => {
    const principal = currentPrincipal();
    await find(principal, id);
    return shown(await retrySaga(principal, id));
  },
);

/** Leaves the undo that a stuck saga is stuck at to the caller, and goes on with the one before it. */
export const skip = api(
  { expose: true, auth: true, method: "POST", path: "/sagas/:id/skip", tags: ["can:saga.manage"] },
  async ({ id }: { id: string }): Promise<SagaSummary> => {
    const principal = currentPrincipal();
    await find(principal, id);
    return shown(await skipUndo(principal, id));
  },
);

export const purge = api({ expose: false, method: "POST", path: "/sagas/purge" }, async (): Promise<void> => {
  await purgeSagas();
});

export const purgeHourly = new CronJob("sagas-purge", {
  title: "Delete sagas past their retention",
  every: "1h",
  endpoint: purge,
});

// Which definitions this process drives.
import { makeWorker, UnrecoverableJobError } from "../queues/worker";
import type { Saga } from "./definition";
import { driveTimeoutMs, jobOf } from "./job";
import { runSaga } from "./run-saga";

const known = new Map<string, Saga>();

/**
 * Drives sagas of this definition in the processes that host its service; beside its other versions, each of which is kept
 * until the last saga that began with it has ended. Throws TypeError at load when it is there already or has no steps.
 */
export function registerSaga<Input>(saga: Saga<Input>): void {
  const key = `${saga.name}@${saga.version}`;
  if (known.has(key)) throw new TypeError(`saga ${key} is registered twice`);
  if (saga.steps.length === 0) throw new TypeError(`saga ${key} has no steps`);
  // Its input comes back from the table, and is checked by its schema there.
  const registered = saga as unknown as Saga;
  known.set(key, registered);
  makeWorker(jobOf(saga, driveTimeoutMs(registered)), async ({ sagaId }, { tenantId, signal }) => {
    if (tenantId === null) throw new UnrecoverableJobError("a saga belongs to a tenant");
    await runSaga(registered, { tenantId, id: sagaId }, signal);
  });
}

export const knownSagas = (): readonly Saga[] => [...known.values()];

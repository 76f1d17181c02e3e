// Events of sagas, whichever service's they are.
import { z } from "zod";
import { defineEvent } from "../event";

const facts = { sagaId: z.uuid(), name: z.string(), sagaVersion: z.int().positive() };

/** Every step is done. */
export const sagaCompleted = defineEvent({ type: "sagas.saga.completed", version: 1, payload: z.object(facts) });

/** What was done is undone; `reason` says why, in one lower_snake word. */
export const sagaCompensated = defineEvent({
  type: "sagas.saga.compensated",
  version: 1,
  payload: z.object({ ...facts, reason: z.string() }),
});

/** It is neither done nor undone, and waits for a person: an undo failed for good, or its definition is another one. */
export const sagaStuck = defineEvent({
  type: "sagas.saga.stuck",
  version: 1,
  payload: z.object({ ...facts, step: z.string().nullable(), reason: z.string() }),
});

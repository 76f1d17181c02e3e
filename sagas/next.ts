// What a saga does next: a function of its row, its steps' rows and its definition, so that a saga that is taken up again by
// another process goes on as if nothing had been. The states are told in the migration.
import { CANCELED, type Saga, type Step } from "./definition";
import type { SagaState, StepRow } from "./store/saga";

export interface Progress {
  readonly state: SagaState;
  readonly position: number;
  readonly stepNames: readonly string[];
  readonly isCanceling: boolean;
}

export type Next =
  | { readonly act: "run" | "undo"; readonly step: Step; readonly position: number }
  /** From running to compensating. */
  | { readonly act: "turn-back"; readonly position: number; readonly reason: string }
  | { readonly act: "end"; readonly state: "completed" | "compensated" }
  | { readonly act: "stick"; readonly reason: string };

export function nextOf({ steps }: Saga, progress: Progress, rows: readonly StepRow[]): Next {
  const { state, position, stepNames, isCanceling } = progress;
  if (stepNames.length !== steps.length || steps.some(({ name }, at) => stepNames[at] !== name))
    return { act: "stick", reason: "definition_changed" };
  if (state === "compensating") {
    const back = undoFrom(steps, rows, position);
    return back === undefined ? { act: "end", state: "compensated" } : { act: "undo", ...back };
  }
  const step = steps[position];
  // Too late to cancel it.
  if (step === undefined) return { act: "end", state: "completed" };
  if (isCanceling) return { act: "turn-back", position, reason: CANCELED };
  return { act: "run", step, position };
}

/** The last step at or below `position` that has something to undo. */
function undoFrom(
  steps: readonly Step[],
  rows: readonly StepRow[],
  position: number,
): { step: Step; position: number } | undefined {
  for (let at = Math.min(position, steps.length - 1); at >= 0; at--) {
    const [step, row] = [steps[at], rows.find((candidate) => candidate.position === at)];
    if (step !== undefined && row !== undefined && isToUndo(step, row)) return { step, position: at };
  }
  return undefined;
}

function isToUndo(step: Step, { state }: StepRow): boolean {
  if (step.undo === "nothing") return false;
  switch (state) {
    case "completed":
    case "undoing":
      return true;
    case "running":
    case "failed":
      // A transaction that did not commit left nothing; of a call nobody knows.
      return step.kind === "call";
    case "undone":
    case "skipped":
      return false;
  }
}

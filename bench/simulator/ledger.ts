// What was asked for and what became of it, in the words of a history as Jepsen keeps one. The driver writes down what it
// asked and what it was answered; effects are read from tables of the simulation's own. Nothing here knows how the app works.
import { appendFileSync } from "node:fs";

export type IntentKind = "event" | "chain" | "job" | "saga" | "doomed";
export type Bug = "none" | "lost" | "repeated" | "disordered" | "slow" | "stuck";

export interface Intent {
  readonly id: string;
  readonly tenant: string;
  readonly kind: IntentKind;
  readonly subject: string;
  readonly bug: Bug;
  /** When it was first sent, by the driver's clock, which is the database's. */
  readonly sentAtMs: number;
  answeredAtMs?: number;
  tries: number;
  /** Which of its subject's events it is, and its saga: as it was answered. */
  seq?: number;
  sagaId?: string;
}

export interface Effect {
  /** An intent's id, or a saga's. */
  readonly subjectOf: string;
  readonly what: string;
  readonly seq: number | null;
  /** Of its transaction, by Postgres's own record of commits. */
  readonly committedAtMs: number;
  /** Within its transaction. */
  readonly id: number;
}

export interface Payment {
  readonly keys: Set<string>;
  state: "none" | "charged" | "refunded";
}

export interface Fault {
  readonly n: number;
  readonly kind: string;
  readonly target: string;
  readonly beganAtMs: number;
  endedAtMs?: number;
}

export const nowMs = (): number => performance.timeOrigin + performance.now();

export class Ledger {
  readonly intents = new Map<string, Intent>();
  readonly faults: Fault[] = [];

  /** @param file gets a line for each entry, so that what a run did can be read when it is over */
  constructor(private readonly file?: string) {}

  send(intent: Omit<Intent, "sentAtMs" | "tries">): Intent {
    const noted = { ...intent, sentAtMs: nowMs(), tries: 0 };
    this.intents.set(noted.id, noted);
    this.write("sent", noted);
    return noted;
  }

  answer(intent: Intent, { seq, sagaId }: { seq: number; sagaId?: string }): void {
    Object.assign(intent, { seq, answeredAtMs: nowMs() }, sagaId === undefined ? {} : { sagaId });
    this.write("answered", intent);
  }

  begin(kind: string, target: string): Fault {
    const fault = { n: this.faults.length + 1, kind, target, beganAtMs: nowMs() };
    this.faults.push(fault);
    this.write("fault", fault);
    return fault;
  }

  end(fault: Fault): void {
    fault.endedAtMs = nowMs();
    this.write("fault over", fault);
  }

  private write(what: string, entry: object): void {
    if (this.file !== undefined) appendFileSync(this.file, `${JSON.stringify({ what, ...entry })}\n`);
  }
}

// What a history must look like, whatever the app did to make it. Pure. After Jepsen's checkers of sets and queues (what was
// acknowledged is there, once: jepsen.checker, "set-full" and "total-queue") and the two modes of TigerBeetle's VOPR: nothing
// wrong while faults come, and, when they have stopped, all of it done within a time (tigerbeetle.com, "Simulation Testing
// For Liveness", 2023). Every intent is repeated until it is answered, so none is of unknown outcome.
import type { Effect, Fault, Intent, Payment } from "./ledger";

export type FindingKind =
  | "unanswered"
  | "lost event"
  | "repeated effect"
  | "broken order"
  | "stuck job"
  | "stuck saga"
  | "torn saga"
  | "unasked effect"
  | "slow recovery";

export interface Finding {
  readonly kind: FindingKind;
  readonly text: string;
}

export interface History {
  readonly intents: readonly Intent[];
  readonly effects: readonly Effect[];
  readonly payments: ReadonlyMap<string, Payment>;
  readonly faults: readonly Fault[];
}

export interface Verdict {
  readonly findings: Finding[];
  /** Of each fault, in order: from its end until something sent after it has had its effect. */
  readonly recoveriesMs: number[];
  /** From an intent's answer to the last of its effects. */
  readonly longestWaitMs: number;
}

/** The promise, on a machine that has time for it. */
export const RECOVERY_P99_MS = 5_000;

/** The smallest value that is not below `share` of them. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}

type Effects = ReadonlyMap<string, readonly Effect[]>;

function groupBy<T>(entries: Iterable<T>, keyOf: (entry: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const entry of entries) {
    const key = keyOf(entry);
    const group = groups.get(key);
    if (group) group.push(entry);
    else groups.set(key, [entry]);
  }
  return groups;
}

export function check(history: History): Verdict {
  const effects = groupBy(history.effects, ({ subjectOf }) => subjectOf);
  const recoveriesMs = recoveries(history, effects);
  const p99 = quantile(recoveriesMs, 0.99);
  const findings = [
    ...history.intents.flatMap((intent) => faultsOf(intent, effects, history.payments.get(intent.id))),
    ...unasked(history.intents, effects),
    ...disorder(history.intents, effects),
    ...(p99 > RECOVERY_P99_MS ? [{ kind: "slow recovery", text: `p99 ${Math.round(p99)} ms` } as const] : []),
  ];
  return { findings, recoveriesMs, longestWaitMs: longestWait(history.intents, effects) };
}

function faultsOf(intent: Intent, effects: Effects, payment: Payment | undefined): Finding[] {
  const { id, kind, subject, answeredAtMs } = intent;
  const about = `${kind} ${id} of ${subject}`;
  if (answeredAtMs === undefined) return [{ kind: "unanswered", text: about }];
  const own = effects.get(id) ?? [];
  const times = (what: string): number => own.filter((effect) => effect.what === what).length;
  const found: Finding[] = [...groupBy(own, ({ what }) => what)]
    .filter(([, { length }]) => length > 1)
    .map(([what, { length }]) => ({ kind: "repeated effect", text: `${about}: ${what} ${length} times` }));
  if ((kind === "event" || kind === "chain") && times("event") === 0) found.push({ kind: "lost event", text: about });
  if ((kind === "job" || kind === "chain") && times("job") === 0) found.push({ kind: "stuck job", text: about });
  if (kind === "saga" || kind === "doomed") found.push(...faultsOfSaga(intent, about, effects, payment));
  return found;
}

/** All done or all undone, by its effects alone. One that can be done may be undone all the same: its attempts are counted. */
function faultsOfSaga(intent: Intent, about: string, effects: Effects, payment: Payment | undefined): Finding[] {
  const ends = effects.get(intent.sagaId ?? "") ?? [];
  const [end] = ends;
  if (end === undefined) return [{ kind: "stuck saga", text: `${about}: no end of ${intent.sagaId ?? "?"}` }];
  if (ends.length > 1) return [{ kind: "repeated effect", text: `${about} ended ${ends.length} times` }];
  const isDone = end.what === "saga:completed";
  const state = stateOf(effects.get(intent.id) ?? [], payment);
  const isWhole = Object.values(state).every((count) => count === (isDone ? 1 : 0));
  const isRight = isWhole && !(isDone && intent.kind === "doomed");
  return isRight ? [] : [{ kind: "torn saga", text: `${about}, ${end.what}: ${JSON.stringify(state)}` }];
}

/** How often each of its steps is done and not undone. */
function stateOf(own: readonly Effect[], payment: Payment | undefined): Record<string, number> {
  const times = (what: string): number => own.filter((effect) => effect.what === what).length;
  return {
    reserved: times("do:reserve") - times("undo:reserve"),
    // Each key would be a charge of its own.
    charged: payment === undefined || (payment.state !== "charged" && payment.keys.size < 2) ? 0 : payment.keys.size,
    shipped: times("do:ship"),
  };
}

function unasked(intents: readonly Intent[], effects: Effects): Finding[] {
  const known = new Set(intents.flatMap(({ id, sagaId }) => (sagaId === undefined ? [id] : [id, sagaId])));
  return [...effects]
    .filter(([subject]) => !known.has(subject))
    .map(([subject, [first]]) => ({ kind: "unasked effect", text: `${first?.what ?? ""} of ${subject}` }));
}

const byCommit = (a: Effect, b: Effect): number => a.committedAtMs - b.committedAtMs || a.id - b.id;

/** The effects of a subject's events were committed in the order of the events themselves. What is missing is said elsewhere. */
function disorder(intents: readonly Intent[], effects: Effects): Finding[] {
  const events = intents.filter(({ kind }) => kind === "event" || kind === "chain");
  const bySubject = groupBy(events, ({ tenant, subject }) => `${tenant} ${subject}`);
  return [...bySubject].flatMap(([subject, own]): Finding[] => {
    const numbers = new Set(own.map(({ seq }) => seq));
    if (numbers.size < own.length) return [{ kind: "broken order", text: `${subject}: a number was given twice` }];
    const seen = own.flatMap(({ id }) => (effects.get(id) ?? []).filter(({ what }) => what === "event"));
    const order = seen.sort(byCommit).map(({ seq }) => seq ?? 0);
    const at = order.findIndex((seq, index) => seq < (order[index - 1] ?? 0));
    return at < 0 ? [] : [{ kind: "broken order", text: `${subject}: ${order[at - 1]} before ${order[at]}` }];
  });
}

/** The slower of events and jobs; Infinity where nothing that was sent after a fault had an effect. */
function recoveries({ intents, faults }: History, effects: Effects): number[] {
  const firstAfter = (kinds: readonly string[], what: string): ((atMs: number) => number) => {
    const sent = intents
      .filter(({ kind }) => kinds.includes(kind))
      .map(({ id, sentAtMs }) => {
        const times = (effects.get(id) ?? []).filter((effect) => effect.what === what);
        return { sentAtMs, atMs: times[0]?.committedAtMs ?? Infinity };
      })
      .sort((a, b) => a.sentAtMs - b.sentAtMs);
    // From the last to the first: the earliest effect of what was sent then or later.
    for (let at = sent.length - 2; at >= 0; at--)
      sent[at] = { ...sent[at]!, atMs: Math.min(sent[at]!.atMs, sent[at + 1]!.atMs) };
    return (atMs) => firstFrom(sent, atMs)?.atMs ?? Infinity;
  };
  const event = firstAfter(["event", "chain"], "event");
  const job = firstAfter(["job"], "job");
  return faults.map(({ endedAtMs }) =>
    endedAtMs === undefined ? Infinity : Math.max(0, Math.max(event(endedAtMs), job(endedAtMs)) - endedAtMs),
  );
}

function firstFrom<T extends { sentAtMs: number }>(sorted: readonly T[], atMs: number): T | undefined {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle]!.sentAtMs < atMs) low = middle + 1;
    else high = middle;
  }
  return sorted[low];
}

function longestWait(intents: readonly Intent[], effects: Effects): number {
  return intents.reduce((longest, { id, sagaId, answeredAtMs = Infinity }) => {
    const own = [...(effects.get(id) ?? []), ...(effects.get(sagaId ?? "") ?? [])];
    return own.reduce((most, { committedAtMs }) => Math.max(most, committedAtMs - answeredAtMs), longest);
  }, 0);
}

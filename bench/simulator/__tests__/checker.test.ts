// The checker finds each kind of wrong in a history, and nothing in one that is right.
import { describe, expect, test } from "vitest";
import { check, quantile, type FindingKind, type History } from "../checker";
import type { Effect, Fault, Intent, IntentKind, Payment } from "../ledger";

const T = 1_000_000;

function intent(id: string, kind: IntentKind, more: Partial<Intent> = {}): Intent {
  const own = { id, kind, tenant: "t", subject: "s", bug: "none", tries: 1 } as const;
  return { ...own, sentAtMs: T, answeredAtMs: T + 10, seq: 0, ...more };
}

let ids = 0;
const effect = (subjectOf: string, what: string, more: Partial<Effect> = {}): Effect => ({
  ...{ subjectOf, what, seq: null, committedAtMs: T + 50, id: ++ids },
  ...more,
});
const event = (id: string, seq: number, committedAtMs = T + 50): Effect => effect(id, "event", { seq, committedAtMs });
const payment = (state: Payment["state"], ...keys: string[]): Payment => ({ state, keys: new Set(keys) });

/** One intent of each kind, all done, and a fault before them. */
function goodHistory(): { intents: Intent[]; effects: Effect[]; payments: Map<string, Payment>; faults: Fault[] } {
  return {
    intents: [
      intent("e1", "event", { seq: 1 }),
      intent("e2", "chain", { seq: 2 }),
      intent("j", "job"),
      intent("j2", "job"),
      intent("good", "saga", { sagaId: "saga-good" }),
      intent("bad", "doomed", { sagaId: "saga-bad" }),
    ],
    effects: [
      event("e1", 1),
      event("e2", 2, T + 60),
      effect("e2", "job"),
      effect("j", "job", { committedAtMs: T + 400 }),
      effect("j2", "job", { committedAtMs: T + 400 }),
      effect("good", "do:reserve"),
      effect("good", "do:ship"),
      effect("saga-good", "saga:completed"),
      effect("bad", "do:reserve"),
      effect("bad", "undo:reserve"),
      effect("saga-bad", "saga:compensated", { committedAtMs: T + 900 }),
    ],
    payments: new Map([
      ["good", payment("charged", "k1")],
      ["bad", payment("refunded", "k2")],
    ]),
    faults: [{ n: 1, kind: "cut", target: "api-1", beganAtMs: T - 200, endedAtMs: T - 100 }],
  };
}

const kindsIn = (history: History): FindingKind[] => check(history).findings.map(({ kind }) => kind);

test("a history in which all is done once, in order and soon is right, and is measured", () => {
  const { findings, recoveriesMs, longestWaitMs } = check(goodHistory());
  expect(findings).toEqual([]);
  // The job was slower than the event.
  expect(recoveriesMs).toEqual([500]);
  expect(longestWaitMs).toBe(890);
});

type Good = ReturnType<typeof goodHistory>;
const without =
  (subject: string, what: string) =>
  (history: Good): void =>
    void (history.effects = history.effects.filter((own) => own.subjectOf !== subject || own.what !== what));

const WRONGS: [string, FindingKind, (history: Good) => void][] = [
  ["an intent that nobody answered", "unanswered", ({ intents }) => void delete intents[0]?.answeredAtMs],
  ["an event without its effect", "lost event", without("e1", "event")],
  ["an event with two effects", "repeated effect", ({ effects }) => void effects.push(event("e2", 2, T + 60))],
  ["a job with two effects", "repeated effect", ({ effects }) => void effects.push(effect("j", "job"))],
  [
    "a saga that ended twice",
    "repeated effect",
    ({ effects }) => void effects.push(effect("saga-bad", "saga:compensated")),
  ],
  ["a job that never ran", "stuck job", without("j", "job")],
  ["a job that a consumer asked for and that never ran", "stuck job", without("e2", "job")],
  ["a saga without an end", "stuck saga", without("saga-good", "saga:completed")],
  ["a saga that is done but for one step", "torn saga", without("good", "do:ship")],
  ["a saga that is undone but for one step", "torn saga", without("bad", "undo:reserve")],
  [
    "a saga that is undone and still charged",
    "torn saga",
    ({ payments }) => void payments.set("bad", payment("charged", "k2")),
  ],
  [
    "a saga that charged by two keys",
    "torn saga",
    ({ payments }) => void payments.set("good", payment("charged", "k1", "k3")),
  ],
  ["an effect that nobody asked for", "unasked effect", ({ effects }) => void effects.push(effect("x", "job"))],
  ["a subject's number given twice", "broken order", ({ intents }) => void Object.assign(intents[0]!, { seq: 2 })],
  [
    "effects against the order of their events",
    "broken order",
    (history) => {
      without("e1", "event")(history);
      history.effects.push(event("e1", 1, T + 70));
    },
  ],
  [
    "effects against the order, in one transaction",
    "broken order",
    (history) => {
      without("e1", "event")(history);
      history.effects.push(event("e1", 1, T + 60));
    },
  ],
  ["an effect long after a fault's end", "slow recovery", ({ faults }) => void (faults[0]!.endedAtMs = T - 5_000)],
  ["a fault after which nothing had an effect", "slow recovery", ({ faults }) => void (faults[0]!.endedAtMs = T + 1)],
  ["a fault that never ended", "slow recovery", ({ faults }) => void delete faults[0]!.endedAtMs],
];

describe("it finds", () => {
  test.each(WRONGS)("%s: %s", (_what, kind, spoil) => {
    const history = goodHistory();
    spoil(history);
    expect(kindsIn(history)).toEqual([kind]);
  });
});

test("a saga that could have been done may be undone, a doomed one may not be done", () => {
  const undone = goodHistory();
  undone.effects = undone.effects.filter(({ subjectOf, what }) => subjectOf !== "saga-good" && what !== "do:ship");
  undone.effects.push(effect("good", "undo:reserve"), effect("saga-good", "saga:compensated"));
  undone.payments.set("good", payment("refunded", "k1"));
  expect(kindsIn(undone)).toEqual([]);
  const done = goodHistory();
  Object.assign(
    done.intents.find(({ id }) => id === "good")!,
    { kind: "doomed" },
  );
  expect(kindsIn(done)).toEqual(["torn saga"]);
});

test("recovery is the first effect of what was sent after the fault, whichever that is", () => {
  const history = goodHistory();
  history.faults.push({ n: 2, kind: "kill", target: "relay-1", beganAtMs: T, endedAtMs: T + 1_000 });
  history.intents.push(
    intent("late", "event", { sentAtMs: T + 1_100, seq: 3 }),
    intent("later", "event", { sentAtMs: T + 1_200, seq: 4, subject: "other" }),
    intent("job", "job", { sentAtMs: T + 1_300 }),
  );
  history.effects.push(
    event("late", 3, T + 9_000),
    event("later", 4, T + 1_700),
    effect("job", "job", { committedAtMs: T + 1_500 }),
  );
  expect(check(history).recoveriesMs).toEqual([500, 700]);
});

test("a share of few values is one of them", () => {
  expect(quantile([3, 1, 2], 0.5)).toBe(2);
  expect(quantile([3, 1, 2], 0.99)).toBe(3);
  expect(quantile([], 0.5)).toBe(0);
});

// What a run does, drawn from its seed before it begins: which fault comes when, to whom, and what is asked for around it.
// The order of what follows is the machine's; what is done to it is the seed's (as unkey's pkg/sim, and FoundationDB's
// "buggify", choose their steps).
import type { Random } from "../../runtime/__tests__/whole-app/support/fuzz/random";
import type { IntentKind } from "./ledger";

export const ROLES = ["api", "relay", "worker", "consumer"] as const;
export type Role = (typeof ROLES)[number];
export type ServerName = "postgres" | "redis";

/** How often each fault comes, of a thousand. */
const WEIGHTS = {
  /** SIGKILL; the process is started again at once, with another clock. */
  kill: 60,
  /** SIGSTOP, some answers of others, SIGCONT. */
  pause: 140,
  /** The same for longer than the leases, while other faults go on. */
  "long pause": 6,
  /** `pg_ctl stop -m immediate`, and a start. */
  "postgres stop": 20,
  /** SIGKILL, and a start. */
  "redis kill": 24,
  /** All connections of one process to one server are reset. */
  cut: 410,
  /** All connections of all processes to one server. */
  "cut all": 60,
  /** Nothing arrives on them for a while, then they are reset or go on. */
  silence: 150,
  /** A process's clock steps by up to 30 s. */
  clock: 130,
} as const;

export type FaultKind = keyof typeof WEIGHTS;
export const FAULT_KINDS = Object.keys(WEIGHTS) as FaultKind[];

export interface PlannedIntent {
  readonly kind: IntentKind;
  readonly tenant: string;
  readonly subject: string;
}

export interface Step {
  readonly fault: FaultKind;
  /** In this order: the first whose other replica is well. */
  readonly targets: readonly { role: Role; replica: 1 | 2 }[];
  readonly server: ServerName;
  /** Of a clock, also of a process that is started again. */
  readonly offsetMs: number;
  /** Of a silence: whether the connections are reset at its end. */
  readonly endsInCut: boolean;
  /** How long a long pause takes. */
  readonly pauseMs: number;
  /** On their way when the fault comes, asked for while it lasts, asked for when it is over. */
  readonly before: readonly PlannedIntent[];
  readonly during: readonly PlannedIntent[];
  readonly after: readonly PlannedIntent[];
}

export const CLOCKS_APART_MS = 30_000;
const LONG_PAUSE_MS = { min: 11_000, max: 36_000 };
const TENANTS = Array.from({ length: 4 }, (_, n) => `00000000-0000-7000-8000-${String(n + 1).padStart(12, "0")}`);
const SUBJECTS = 6;
const PAUSING: readonly FaultKind[] = ["pause", "silence"];

export const offsetFrom = (random: Random): number => random.integer(-CLOCKS_APART_MS / 2, CLOCKS_APART_MS / 2);

function shuffled<T>(random: Random, choices: readonly T[]): T[] {
  const left = [...choices];
  return choices.map(() => left.splice(random.integer(0, left.length - 1), 1)[0] as T);
}

function drawFault(random: Random): FaultKind {
  let left = random.integer(
    1,
    Object.values(WEIGHTS).reduce((sum, weight) => sum + weight, 0),
  );
  for (const kind of FAULT_KINDS) if ((left -= WEIGHTS[kind]) <= 0) return kind;
  return "cut";
}

function drawIntents(random: Random, kinds: readonly IntentKind[]): PlannedIntent[] {
  return kinds.map((kind) => ({
    kind,
    tenant: random.pick(TENANTS),
    subject: `case-${random.integer(1, SUBJECTS)}`,
  }));
}

function drawStep(random: Random, fault: FaultKind): Step {
  const replicas = ROLES.flatMap((role) => ([1, 2] as const).map((replica) => ({ role, replica })));
  const saga = random.chance(0.5) ? "saga" : "doomed";
  return {
    fault,
    targets: shuffled(random, replicas),
    server: random.pick(["postgres", "redis"] as const),
    offsetMs: offsetFrom(random),
    endsInCut: random.chance(0.5),
    pauseMs: random.integer(LONG_PAUSE_MS.min, LONG_PAUSE_MS.max),
    before: drawIntents(random, ["event", "event", random.pick(["job", "chain", saga] as const)]),
    during: drawIntents(random, PAUSING.includes(fault) ? ["event", "job"] : []),
    after: drawIntents(random, ["event", "job"]),
  };
}

/** Each kind of fault at least once where there are enough of them, in an order that the seed gives. */
export function drawPlan(random: Random, faults: number): Step[] {
  const must = FAULT_KINDS.slice(0, faults);
  const kinds = [...must, ...Array.from({ length: faults - must.length }, () => drawFault(random))];
  return shuffled(random, kinds).map((kind) => drawStep(random, kind));
}

// The kinds of work that a product puts into queues, and how many jobs of a kind run at once in one process, at most: a worker
// opens its slots as work waits. A job says its kind (`defineJob({ kind: "email" })`); which jobs there are is for the services to say.
import { pairs, variable, type Variable } from "./variable";

export const queueSet = {
  /** Mail servers. */
  email: 5,
  /** Push services of browsers and phones. */
  push: 10,
  /** Providers that count what they are sent: give such a job a `limit` too. */
  sms: 3,
  /** Notices inside the app. */
  notification: 5,
  /** Agents that work together. */
  swarm: 10,
  /** One routine each: many of them wait for others most of their time. */
  run: 1_000,
  /** Foreign code, each in a process of its own. */
  sandbox: 5,
  import: 2,
  export: 2,
} as const satisfies Record<string, number>;

export type QueueKind = keyof typeof queueSet;
export type QueueSet = Readonly<Record<QueueKind, number>>;

const SLOTS_MAX = 1_000;
const isKind = (name: string): name is QueueKind => Object.hasOwn(queueSet, name);

function isSlots(text: string): boolean {
  const slots = Number(text);
  return text.trim() !== "" && Number.isInteger(slots) && slots >= 1 && slots <= SLOTS_MAX;
}

/** `email=8,run=200`: what is not named stays as it is above. */
export const queueSetVariable: Variable<QueueSet> = variable(
  pairs("")
    .schema.refine((entries) => Object.keys(entries).every(isKind), "has a kind that there is not")
    .refine((entries) => Object.values(entries).every(isSlots), "has a number of jobs that is none")
    .transform((entries): QueueSet => {
      const named = Object.entries(entries).map(([kind, slots]) => [kind, Number(slots)] as const);
      return { ...queueSet, ...Object.fromEntries(named) };
    }),
  `a comma-separated list of kind=jobs, kinds being ${Object.keys(queueSet).join(", ")}, from 1 to ${SLOTS_MAX}`,
);

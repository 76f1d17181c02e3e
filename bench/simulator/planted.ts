// Bugs on purpose, in the running app: one of each kind that the checker is there for.
import { check, type FindingKind } from "./checker";
import { Driver } from "./driver";
import { Ledger, type Bug } from "./ledger";
import type { IntentKind } from "./ledger";
import { settle } from "./run";
import type { World } from "./world";

const TENANT = "00000000-0000-7000-8000-000000000009";
/** Two of them never end. Longer than what is slow on purpose, and than a topic's second try. */
const LIMIT_MS = 15_000;

interface Plant {
  readonly bug: Bug;
  readonly kinds: readonly IntentKind[];
  readonly finds: FindingKind;
}

const PLANTS: readonly Plant[] = [
  { bug: "lost", kinds: ["event"], finds: "lost event" },
  { bug: "repeated", kinds: ["event"], finds: "repeated effect" },
  { bug: "disordered", kinds: ["event", "event"], finds: "broken order" },
  { bug: "stuck", kinds: ["job"], finds: "stuck job" },
  { bug: "stuck", kinds: ["doomed"], finds: "stuck saga" },
  { bug: "slow", kinds: ["job"], finds: "slow recovery" },
];

/** What is to be found of each, and what was, in a world in which nothing else goes wrong. */
export async function plantBugs(world: World): Promise<{ expected: FindingKind[]; found: FindingKind[] }> {
  const ledger = new Ledger();
  const driver = new Driver(world, ledger);
  ledger.end(ledger.begin("none", "nobody"));
  for (const [n, { bug, kinds }] of PLANTS.entries())
    for (const kind of kinds) await driver.take({ kind, tenant: TENANT, subject: `planted-${n}` }, bug);
  const history = await settle(world, ledger, LIMIT_MS);
  const own = new Set([...ledger.intents.values()].flatMap(({ id, sagaId }) => (sagaId ? [id, sagaId] : [id])));
  const effects = history.effects.filter(({ subjectOf }) => own.has(subjectOf));
  const { findings } = check({ ...history, effects });
  return { expected: PLANTS.map(({ finds }) => finds).sort(), found: findings.map(({ kind }) => kind).sort() };
}

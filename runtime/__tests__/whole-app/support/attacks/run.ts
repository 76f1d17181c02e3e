// Runs attempts on another organisation and judges them: an answer with the victim's marker in it, and any row of the
// victim's that became different, are leaks, whatever the code meant.
import { differences, type Rows } from "../../../../../db/__tests__/victim";
import { operationsOf, type Document } from "../fuzz/openapi";
import { createRandom } from "../fuzz/random";
import { Attempts, forgeries, type Attempt } from "./attempts";
import { MARKER, type Answer, type Attacker, type AttackWorld, type Send } from "./world";

export interface Report {
  /** A line each; empty when nothing leaked. */
  leaks: string[];
  attempts: Record<Attempt["kind"], number>;
  statuses: Record<number, number>;
  /** Places and lists that were only ever refused at the door. */
  unreached: string[];
  /** As `METHOD path`. */
  attacked: string[];
  sweepSize: number;
  perSecond: number;
}

interface Attacked {
  world: AttackWorld;
  send: Send;
  rows: () => Promise<Rows>;
  document: Document;
  /** At least so many, and each place once for each id. */
  count: number;
  seed: number;
  /** Without the first part, in which each place is asked for each id: so many in all, of every kind. */
  isDrawn?: boolean;
  /** How many are under way at once. */
  lanes?: number;
  /** Leaks after which it stops: a planted one shows at once. */
  enough?: number;
}

export const LANES = 32;
/** After so many attempts every attacker makes sure of being signed in. */
const RENEW_EVERY = 2_000;

/** What is said before anything stored is looked at, but for two answers that only a look can give. */
const AT_THE_DOOR = new Set([400, 401, 403, 405, 429]);
const LOOKED_UP = /"reason":"(?:link_invalid|idempotency_key_reused)"/;

/** By the gateway, for the token: other secrets are refused with 401 too, and a new sign-in helps none of them. */
const isTurnedAway = ({ status, body }: Answer): boolean => status === 401 && body.includes('"reason":"invalid_token"');

/** Which places let an attempt get as far as what is stored. */
class Reached {
  private readonly places = new Map<string, boolean>();

  note(place: string | undefined, { status, body }: Answer): void {
    if (place === undefined) return;
    const isReached = !AT_THE_DOOR.has(status) || LOOKED_UP.test(body);
    this.places.set(place, isReached || this.places.get(place) === true);
  }

  get missed(): string[] {
    return [...this.places].filter(([, isReached]) => !isReached).map(([place]) => place);
  }
}

export async function attack({
  world,
  send,
  rows,
  document,
  count: atLeast,
  seed,
  isDrawn = false,
  lanes = LANES,
  enough = 20,
}: Attacked): Promise<Report> {
  const random = createRandom(seed);
  const forged = await forgeries(world, random);
  const attempts = new Attempts(document, operationsOf(document), world, forged, random);
  const from = isDrawn ? attempts.sweepSize : 0;
  const count = isDrawn ? atLeast : Math.max(atLeast, attempts.sweepSize);
  const reached = new Reached();
  const report: Report = {
    leaks: [],
    attempts: { "foreign id": 0, "forged claims": 0, "swapped keys": 0, "named tenant": 0 },
    statuses: {},
    unreached: [],
    attacked: attempts.attacked,
    sweepSize: attempts.sweepSize,
    perSecond: 0,
  };
  const before = await settled(world, rows);
  const startedAtMs = performance.now();
  const renewing = new Map<Attacker, Promise<void>>();
  const renew = (by: Attacker): Promise<void> => {
    const renewal = renewing.get(by) ?? by.renew().finally(() => renewing.delete(by));
    renewing.set(by, renewal);
    return renewal;
  };
  // Some of what an attacker sends ends its own sessions: the rest must not be refused for that.
  const sendSignedIn = async ({ by, kind }: Attempt, request: Parameters<Send>[0]): Promise<Answer> => {
    const { authorization = "" } = request.headers ?? {};
    const isOwn = (kind === "foreign id" || kind === "named tenant") && authorization.startsWith("Bearer ey");
    for (let tries = 1; ; tries++) {
      const { accessToken } = by.session;
      const headers = { ...request.headers, ...(isOwn ? { authorization: `Bearer ${accessToken}` } : {}) };
      const answer = await send({ ...request, headers });
      if (!isOwn || !isTurnedAway(answer) || tries === 3) return answer;
      if (accessToken === by.session.accessToken) await renew(by);
    }
  };
  let drawn = 0;
  // Attempts are made in the order of their numbers, whichever lane is free: the same seed makes the same ones.
  const lane = async (): Promise<void> => {
    while (drawn < count && report.leaks.length < enough) {
      const number = drawn++;
      const attempt = attempts.next(from + number);
      const { by, kind, place, ...request } = attempt;
      if (number % RENEW_EVERY < world.attackers.length) await renew(by);
      const answer = await sendSignedIn(attempt, request);
      const { status, body } = answer;
      report.attempts[kind]++;
      reached.note(place, answer);
      report.statuses[status] = (report.statuses[status] ?? 0) + 1;
      if (body.includes(MARKER))
        report.leaks.push(`${kind}: ${describe(attempt)}\n    ${status} ${body.slice(0, 300)}`);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  report.perSecond = Math.round((count / (performance.now() - startedAtMs)) * 1000);
  report.unreached = reached.missed;
  report.leaks.push(...differences(before, await rows(), world.judged));
  return report;
}

/** When all that the victim did is done: its document was counted, and nothing of its changes by itself any more. */
async function settled({ victim, judged }: AttackWorld, rows: Attacked["rows"]): Promise<Rows> {
  for (let before = await rows(); ;) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    const after = await rows();
    const isCounted = after.get("events.inbox")?.some((row) => row.includes(victim.things.organisation!));
    if (isCounted && differences(before, after, judged).length === 0) return after;
    before = after;
  }
}

function describe({ method, path, headers, body }: Attempt): string {
  const { authorization = "", ...rest } = headers;
  return `${method} ${path.slice(0, 200)} ${authorization.slice(0, 30)} ${JSON.stringify(rest).slice(0, 200)} ${(body ?? "").slice(0, 300)}`;
}

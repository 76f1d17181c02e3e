// A circuit breaker for each provider and each whose key it is asked by: one that fails five times running is left alone for a
// while, so that calls go to the next one at once. Not for the provider alone: what one organisation's own key or server meets says
// nothing of the others'. (Nygard, Release It!, "Circuit Breaker"; the state machine is cockatiel's.) Of this process: what
// another one has met, it tells nobody.
import type { CircuitBreakerPolicy } from "cockatiel";
import { ProviderFailure } from "./failure";

const FAILURES_RUNNING = 5;
export const REST_MS = 15_000;
/** Beyond it the one that was asked for longest ago is forgotten, and begins anew. */
const BREAKERS_MAX = 1_000;

/** A provider, as it is asked by somebody's key. */
export interface Line {
  provider: string;
  /** "installation", or the organisation's id. */
  owner: string;
}

interface Held {
  breaker: CircuitBreakerPolicy;
  /** When it last opened, by Date.now(): then it may be tried again. */
  restsUntilMs: number;
}

/** The one that was asked for longest ago is the first. */
const breakers = new Map<string, Held>();
/** Of cockatiel's CircuitState, which is loaded with the first call. */
const CLOSED = 0;
const OPEN = 1;
const HALF_OPEN = 2;

const nameOf = ({ provider, owner }: Line): string => `${provider} ${owner}`;

async function breakerOf(line: Line): Promise<CircuitBreakerPolicy> {
  const cockatiel = await import("cockatiel");
  const name = nameOf(line);
  const held = breakers.get(name) ?? closedBreaker(cockatiel);
  breakers.delete(name);
  breakers.set(name, held);
  const [oldest] = breakers.keys();
  if (breakers.size > BREAKERS_MAX && oldest !== undefined) breakers.delete(oldest);
  return held.breaker;
}

function closedBreaker({ circuitBreaker, ConsecutiveBreaker, handleWhen }: typeof import("cockatiel")): Held {
  const isFault = handleWhen((error) => error instanceof ProviderFailure && error.isFault);
  const options = { halfOpenAfter: REST_MS, breaker: new ConsecutiveBreaker(FAILURES_RUNNING) };
  const held = { breaker: circuitBreaker(isFault, options), restsUntilMs: 0 };
  held.breaker.onBreak(() => (held.restsUntilMs = Date.now() + REST_MS));
  return held;
}

/** Whether it is left alone just now: it rests, or one call is trying whether it answers again. */
export function isResting(line: Line): boolean {
  const held = breakers.get(nameOf(line));
  const state = Number(held?.breaker.state ?? CLOSED);
  return state === HALF_OPEN || (state === OPEN && Date.now() < (held?.restsUntilMs ?? 0));
}

/**
 * Runs `attempt` unless the provider is left alone, or one call is just trying whether it answers again: nobody waits for that one.
 * @throws ProviderFailure `resting`, and whatever the attempt throws
 */
export async function throughBreaker<T>(line: Line, attempt: () => Promise<T>): Promise<T> {
  const { isBrokenCircuitError } = await import("cockatiel");
  const breaker = await breakerOf(line);
  // Nothing is awaited between this look and `execute`, which looks again.
  if (isResting(line)) throw resting();
  try {
    return await breaker.execute(attempt);
  } catch (error) {
    if (isBrokenCircuitError(error)) throw resting();
    throw error;
  }
}

/** Nobody was asked. */
export const resting = (): ProviderFailure => new ProviderFailure("resting", { paid: "nothing" });

/** Whether calls go there, as far as this process has met. */
export const isHealthy = (line: Line): boolean =>
  Number(breakers.get(nameOf(line))?.breaker.state ?? CLOSED) === CLOSED;

/** Providers that are left alone just now, each with for how many of those whose keys ask it. */
export function restingProviders(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of breakers.keys()) {
    const [provider = "", owner = ""] = name.split(" ");
    if (isResting({ provider, owner })) counts.set(provider, (counts.get(provider) ?? 0) + 1);
  }
  return counts;
}

/** How many are remembered, for tests. */
export const breakersHeld = (): number => breakers.size;

/** As in a process that has asked nobody, for tests. */
export function resetBreakers(): void {
  breakers.clear();
}

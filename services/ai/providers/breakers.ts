// A circuit breaker for each provider: one that fails five times running is left alone for a while, so that calls go to the next
// one at once. (Nygard, Release It!, "Circuit Breaker"; the state machine is cockatiel's.) Of this process: what another
// one has met, it tells nobody.
import type { CircuitBreakerPolicy } from "cockatiel";
import { ProviderFailure } from "./failure";

const FAILURES_RUNNING = 5;
const REST_MS = 15_000;

const breakers = new Map<string, CircuitBreakerPolicy>();
/** Of cockatiel's CircuitState, which is loaded with the first call. */
const OPEN = 1;

async function breakerOf(provider: string): Promise<CircuitBreakerPolicy> {
  const { circuitBreaker, ConsecutiveBreaker, handleWhen } = await import("cockatiel");
  let breaker = breakers.get(provider);
  if (breaker === undefined) {
    const isFault = handleWhen((error) => error instanceof ProviderFailure && error.isFault);
    const options = { halfOpenAfter: REST_MS, breaker: new ConsecutiveBreaker(FAILURES_RUNNING) };
    breakers.set(provider, (breaker = circuitBreaker(isFault, options)));
  }
  return breaker;
}

/** Runs `attempt` unless the provider is left alone. @throws ProviderFailure `resting`, and whatever the attempt throws */
export async function throughBreaker<T>(provider: string, attempt: () => Promise<T>): Promise<T> {
  const breaker = await breakerOf(provider);
  const { isBrokenCircuitError } = await import("cockatiel");
  try {
    return await breaker.execute(attempt);
  } catch (error) {
    if (isBrokenCircuitError(error)) throw new ProviderFailure("resting", { paid: "nothing" });
    throw error;
  }
}

/** Whether calls go there, as far as this process has met. */
export const isHealthy = (provider: string): boolean => Number(breakers.get(provider)?.state ?? 0) !== OPEN;

/** As in a process that has asked nobody, for tests. */
export function resetBreakers(): void {
  breakers.clear();
}

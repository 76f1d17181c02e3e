// What a service's tests need and would write by hand otherwise: callers, the relay and the workers, failures, and
// things that happen at once. For test files only (`npm run arch` holds that); it declares nothing of Encore's.
import { randomUUID } from "node:crypto";
import { afterAll, beforeAll, onTestFinished } from "vitest";
import { systemQuery } from "./db/tenant";
import { destinationOf, registerDestination } from "./events/destinations";
import { createRelay, type Relay } from "./events/relay";
import { onRelaySignal } from "./events/signal";
import { startWorkers, stopWorkers } from "./queues/start";
import type { Role } from "./security/permissions";
import { principalFrom, type AuthData, type Principal, type TenantId } from "./security/principal";

/** Somebody who is signed in. It is the last argument of an endpoint: `vectors.search({ q }, caller)` of `~encore/clients`. */
export interface Caller {
  readonly authData: AuthData;
  /** The same, as rules take it. */
  readonly principal: Principal;
  readonly tenantId: TenantId;
}

const callerOf = (authData: AuthData): Caller => {
  const principal = principalFrom(authData);
  return { authData, principal, tenantId: principal.tenantId };
};

/** A member, or a caller of another role, of an organisation of their own or of another caller's, who has just signed in. Nothing is stored. */
export function createCaller(role: Role = "member", colleague?: Pick<Caller, "tenantId">): Caller {
  const tenantId = colleague?.tenantId ?? randomUUID();
  const authTime = String(Math.floor(Date.now() / 1000));
  return callerOf({ userID: randomUUID(), tenantId, role, sessionId: randomUUID(), authTime, amr: "pwd" });
}

export interface RegisteredCaller extends Caller {
  readonly email: string;
  readonly password: string;
  /** For requests over HTTP: `authorization: Bearer …`. */
  readonly accessToken: string;
}

/** The owner of an organisation that is registered: account, session and events are stored. */
export async function registerCaller(organisation = "Acme"): Promise<RegisteredCaller> {
  // Loaded here: most tests need no password hashing.
  const [{ register }, { readAccessToken }] = await Promise.all([
    import("./auth/registration"),
    import("./auth/tokens"),
  ]);
  const email = `${randomUUID()}@example.com`;
  const password = randomUUID();
  const { accessToken } = await register({ email, password, organisation }, new Date());
  return { ...callerOf(await readAccessToken(accessToken, new Date())), email, password, accessToken };
}

/**
 * Runs a relay and all workers while the tests of this file (or of the `describe` around the call) run, so that what a
 * transaction emits or enqueues arrives. Import the `subscriptions` of the service under test for its consumers.
 */
export function runRelayAndWorkers(): void {
  let relay: Relay | undefined;
  beforeAll(async () => {
    // A commit wakes it; what another process commits is seldom asked for.
    const started = createRelay({ pollMs: 200 });
    relay = started;
    onRelaySignal((destination) => started.wake(destination));
    started.start();
    await startWorkers();
  }, 120_000);
  afterAll(async () => {
    onRelaySignal(undefined);
    await relay?.stop();
    await stopWorkers(true);
  });
}

export interface Failing<Args extends unknown[], Result> {
  (...args: Args): Promise<Awaited<Result>>;
  /** How often it failed so far. */
  readonly failures: number;
}

/** A handler (of an event, of a job, of a provider) that fails the first `times` calls, before anything of it ran. */
export function failTimes<Args extends unknown[], Result>(
  times: number,
  act: (...args: Args) => Result,
  makeError: (failure: number) => Error = (failure) => new Error(`failure ${failure} of ${times}, as the test asked`),
): Failing<Args, Result> {
  let failures = 0;
  const failing = async (...args: Args): Promise<Awaited<Result>> => {
    if (failures < times) throw makeError(++failures);
    return await act(...args);
  };
  return Object.defineProperty(failing, "failures", { get: () => failures }) as Failing<Args, Result>;
}

/** Makes a destination of the outbox ("event", "job") refuse the first `times` batches, until this test is over. */
export function failDestination(name: string, times: number): Pick<Failing<[], void>, "failures"> {
  const real = destinationOf(name);
  if (real === undefined)
    throw new Error(`no destination "${name}" is registered: call runRelayAndWorkers() or startQueues() before`);
  const publish = failTimes(times, (...args: Parameters<typeof real.publish>) => real.publish(...args));
  registerDestination(name, { batchSize: real.batchSize, publish });
  onTestFinished(() => registerDestination(name, real));
  return publish;
}

let warned = false;

/** The embedded database says what it is compiled to. */
async function warnOfOneSession(): Promise<void> {
  if (warned) return;
  const [row] = await systemQuery<{ version: string }>("test", "select version() as version");
  if (row?.version.includes("wasm") !== true) return;
  warned = true;
  process.emitWarning(
    "concurrent() on the embedded database: it has one session, so transactions run one after the other and no race can show. `npm run test:pg -- FILE` runs this on a server.",
    "OneSessionWarning",
  );
}

/** Calls `act(0)` to `act(count - 1)` at once and answers how each ended. Races show under `npm run test:pg` only. */
export async function concurrent<T>(
  count: number,
  act: (index: number) => Promise<T>,
): Promise<PromiseSettledResult<T>[]> {
  await warnOfOneSession();
  // Connections that have to be opened first would put the calls in a row.
  await Promise.all(Array.from({ length: count }, () => systemQuery("test", "select 1")));
  // One that throws before it returns a promise is a rejection like any other: the rest must not go on unawaited.
  return Promise.allSettled(Array.from({ length: count }, async (_, index) => act(index)));
}

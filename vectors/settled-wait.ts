// Waiting until a document is no longer pending. Whoever waits holds no connection: what this process settles wakes them
// at once, and for what another process settles one statement for each organisation that is waited for looks now and then.
import { AsyncLocalStorage } from "node:async_hooks";
import type { TenantScope } from "../db/tenant";
import { commonErrors } from "../security/common-errors";
import type { TenantId } from "../security/principal";
import { UnderWay } from "../security/under-way";
import { logger } from "../telemetry/logger";
import { isDraining, onShutdown } from "../telemetry/shutdown";
import { documentListPending } from "./store/states";

/** How soon another process's work is noticed. */
export const LOOK_MS = 500;
const WAITS_OF_TENANT_MAX = 100;
export const WAITS_MAX = 2_000;

/** The look at all documents belongs to no request. */
const outside = AsyncLocalStorage.snapshot();

/** By organisation and document: those that wake who waits. */
const waits = new Map<TenantId, Map<string, Set<() => void>>>();
const underWay = new UnderWay({ ofOne: WAITS_OF_TENANT_MAX, inAll: WAITS_MAX });
let isLooking = false;
let isEnding = false;

/**
 * Resolves when the document is not pending (or not there), after `ms`, or when the process drains, whichever is first. At once
 * when as many wait in this process as may: that is nobody's own doing, and who asks again finds out as well.
 * @throws APIError rate_limited when too many of the organisation wait
 */
export async function waitUntilSettled(scope: TenantScope, id: string, ms: number): Promise<void> {
  if (underWay.inAll >= WAITS_MAX) return;
  // Who waits is noted before the look: what is settled in between wakes them.
  const wait = beginWait(scope.tenantId, id, ms);
  try {
    const [pending] = await documentListPending(scope, [id]);
    if (pending === undefined || isDraining()) return;
    look();
    await wait.woken;
  } finally {
    wait.end();
  }
}

/** Wakes who waits in this process; call it when the transaction that settled the document has committed. */
export function noteSettled(tenantId: TenantId, id: string): void {
  for (const wake of waits.get(tenantId)?.get(id) ?? []) wake();
}

/** Notes that somebody waits, until `end`. @throws APIError rate_limited when too many of the organisation do */
export function beginWait(tenantId: TenantId, id: string, ms: number): { woken: Promise<void>; end: () => void } {
  const leave = underWay.enter(tenantId);
  if (leave === undefined)
    throw commonErrors.rate_limited({ retryAfterSeconds: 1, internal: `${WAITS_OF_TENANT_MAX} of ${tenantId} wait` });
  endWithProcess();
  const ofTenant = waits.get(tenantId) ?? new Map<string, Set<() => void>>();
  const ofDocument = ofTenant.get(id) ?? new Set();
  let wake = (): void => undefined;
  const woken = new Promise<void>((resolve) => (wake = resolve));
  waits.set(tenantId, ofTenant.set(id, ofDocument.add(wake)));
  const timer = setTimeout(wake, ms);
  return {
    woken,
    end: () => {
      clearTimeout(timer);
      leave();
      ofDocument.delete(wake);
      if (ofDocument.size === 0) ofTenant.delete(id);
      if (ofTenant.size === 0) waits.delete(tenantId);
    },
  };
}

/** A process that drains answers who waits, and is not held up by them. */
function endWithProcess(): void {
  if (isEnding) return;
  isEnding = true;
  onShutdown("document-waits", () => {
    for (const ofTenant of waits.values()) for (const wakes of ofTenant.values()) for (const wake of wakes) wake();
  });
}

function look(): void {
  if (isLooking) return;
  isLooking = true;
  outside(() => void lookWhileWaited());
}

/** One organisation after the other, so that all who wait use one connection at a time. */
async function lookWhileWaited(): Promise<void> {
  try {
    while (waits.size > 0) {
      await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
      for (const tenantId of [...waits.keys()]) await lookAt(tenantId);
    }
  } finally {
    isLooking = false;
  }
}

/** A look that fails tells nobody anything: the next one is soon, and each wait ends by itself. */
async function lookAt(tenantId: TenantId): Promise<void> {
  const ids = [...(waits.get(tenantId)?.keys() ?? [])];
  if (ids.length === 0) return;
  try {
    const pending = new Set(await documentListPending({ tenantId }, ids));
    for (const id of ids) if (!pending.has(id)) noteSettled(tenantId, id);
  } catch (error) {
    logger("vectors").warn({ err: error }, "whether documents are still pending could not be asked");
  }
}

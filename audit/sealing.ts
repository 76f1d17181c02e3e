// Seals for logs that have none: what was written before there were seals, or by processes of that version while it was replaced. By
// command alone (`npm run admin -- audit seal`): nothing else knows when the last of those processes has ended, and who sealed
// whatever is found without a seal would seal what an attacker left. A log that is broken gets none; one that gets one says so
// itself, and the installation's log too, with where it began and ended.
// And other seals in place of those of an earlier master key, so that this one can be thrown away.
import { withSystem } from "../db/tenant";
import { goThrough } from "../db/upkeep";
import { tenantIdFrom, type TenantId } from "../security/principal";
import { onBehalfOf } from "../security/provenance";
import { logger } from "../telemetry/logger";
import { defineAction } from "./action";
import { sealKeys } from "./key";
import { platformLog, recordForPlatform } from "./platform";
import { record } from "./record";
import { isSealOf, sealOf, type SealedPlace } from "./seal";
import { areLogsSealed, isSayingDue, saySealed } from "./sealed-installation";
import { headFind, type ChainEnds } from "./store";
import { headHold, headList, headListSealedByOthers, headReseal, headSeal, type SealedHeadRow } from "./store/seals";
import { beginsFirst, isAway, isSame, verifyEntries, verifyPage } from "./verify";
import { FIRST, INSTALLATION, verifyLog } from "./verify-logs";

const log = logger("audit");
const logSealed = defineAction("audit.log.sealed", { from: "plain", through: "plain", override: "plain" });

const LOGS = 500;
const BATCH = 200;
const STATEMENT_TIMEOUT_MS = 30_000;
/** How often a log that goes on is checked to its end before it is left. */
const ATTEMPTS = 5;

/** `sealed`: now. `was`: it stood under seals. `broken`: left as it is. `left`: it went on faster than it was checked. */
export type Sealing = "sealed" | "was" | "broken" | "left";

export type TellSealing = (tenant: string, sealing: Sealing) => void;

const placesOf = (tenantId: string, { seq, hash, keptFrom, keptAfter }: ChainEnds): [SealedPlace, SealedPlace] => [
  { of: "start", tenantId, seq: keptFrom, hash: keptAfter },
  { of: "end", tenantId, seq, hash },
];

/** Whether seals cover all of the log: its head alone shows it. */
function isSealed(tenantId: string, ends: ChainEnds): boolean {
  const [start, end] = placesOf(tenantId, ends);
  const isBegunSealed = beginsFirst(ends) || isSealOf(sealKeys(), ends.startSeal, start);
  return ends.seq > 0 && isBegunSealed && ends.sealedSeq === ends.seq && isSealOf(sealKeys(), ends.endSeal, end);
}

/**
 * Of an organisation or the installation, by its id. `override`: why it is sealed where it begins and ends now, although seals, or
 * what is missing of them, say that it did so elsewhere; its entries must be as they were written in any case.
 */
export async function sealLog(tenant: string, override: string | null = null): Promise<Sealing> {
  try {
    return await sealChecked(tenantIdFrom(tenant), override);
  } catch (error) {
    if (isAway(error)) throw error;
    log.error({ err: error, tenantId: tenant }, "an audit log cannot be read, and is not sealed");
    return "broken";
  }
}

async function sealChecked(tenantId: TenantId, override: string | null): Promise<Sealing> {
  const check = override === null ? verifyPage : verifyEntries;
  for (let attempt = 0, through = 0; attempt < ATTEMPTS; attempt++) {
    const ends = await headFind({ tenantId });
    if (isSealed(tenantId, ends)) return "was";
    for (let isDone = false; !isDone;) {
      const page = await check({ tenantId }, through);
      if (page.broken !== undefined) return "broken";
      ({ through, isDone } = page);
    }
    if (await seal(tenantId, ends, override)) return "sealed";
  }
  return "left";
}

/** False when the log is not any more as it was checked. Who seals is told of in the installation's log too, which the log's owner cannot end. */
function seal(tenantId: TenantId, checked: ChainEnds, override: string | null): Promise<boolean> {
  return withSystem("audit-seal", async (tx) => {
    const held = await headHold(tx, tenantId);
    if (held === undefined) return false;
    const { isGone, ...ends } = held;
    if (!isSame(ends, checked)) return false;
    const [start, end] = placesOf(tenantId, ends).map((place) => sealOf(sealKeys(), place));
    await headSeal(tx, tenantId, { start: beginsFirst(ends) ? null : (start ?? null), end: end ?? null });
    const target = { type: "log", id: tenantId };
    const facts = { target, fields: { from: ends.keptFrom, through: ends.seq, override } };
    // Of an organisation that is gone nobody reads it, and it would keep the log from its end.
    if (!isGone) await record(tx, logSealed, { tenantId, ...facts });
    if (tenantId !== platformLog.tenantId) await recordForPlatform(tx, logSealed, facts);
    return true;
  });
}

export interface SealedLogs {
  logs: number;
  sealed: number;
  broken: number;
  left: number;
}

/**
 * Seals what no seal covers of all logs; then the installation's log says so, and a missing seal is a break. Ended before, it goes on
 * with those that lack one: of the others only the head is read.
 */
export async function sealLogs(tell: TellSealing = () => undefined): Promise<SealedLogs> {
  const sum: SealedLogs = { logs: 0, sealed: 0, broken: 0, left: 0 };
  for (let after: string | undefined = FIRST; after !== undefined;) {
    const from: string = after;
    const page = await withSystem("audit-seal", (tx) => headList(tx, from, LOGS));
    sum.logs += page.length;
    for (const { tenantId, ...ends } of page) {
      if (isSealed(tenantId, ends)) continue;
      const sealing = await sealLog(tenantId);
      if (sealing !== "was") sum[sealing]++;
      tell(tenantId, sealing);
    }
    after = page.length === LOGS ? page.at(-1)?.tenantId : undefined;
  }
  if (sum.left === 0) await saySealed({ logs: sum.logs, sealed: sum.sealed });
  return sum;
}

const BY_UPKEEP = "system:audit.seal";

/** Each hour: what an earlier master key sealed gets seals of the present one; what no seal covers is told of, and sealed by command alone. */
export async function maintainSeals(): Promise<void> {
  await resealHeads();
  const { logs, unsealed } = await countLogs();
  if (unsealed > 0)
    log.warn({ logs: unsealed }, "audit logs are not wholly under seals: see `npm run admin -- audit verify`");
  if (await areLogsSealed()) return sayAgain();
  if (unsealed > 0) return;
  // It may be broken because somebody took out of it that all were sealed.
  if ((await verifyLog(INSTALLATION))?.broken.length) {
    log.error(
      "the installation's audit log is broken: that all logs are sealed is said by `npm run admin -- audit seal` alone",
    );
    return;
  }
  await onBehalfOf(BY_UPKEEP, () => saySealed({ logs, sealed: 0 }));
}

/** That all logs are sealed, when it was said and that is long ago: retention must not remove what says it. */
export async function sayAgain(): Promise<void> {
  if (!(await isSayingDue())) return;
  const { logs } = await countLogs();
  await onBehalfOf(BY_UPKEEP, () => saySealed({ logs, sealed: 0 }));
}

async function countLogs(): Promise<{ logs: number; unsealed: number }> {
  const sum = { logs: 0, unsealed: 0 };
  await goThrough("audit-seal", STATEMENT_TIMEOUT_MS, async (tx, after) => {
    const page = await headList(tx, after, LOGS);
    sum.logs += page.length;
    sum.unsealed += page.filter(({ tenantId, ...ends }) => !isSealed(tenantId, ends)).length;
    return page.length === LOGS ? page.at(-1)?.tenantId : undefined;
  });
  return sum;
}

/** Resolves with how many heads have seals of the present master key now. A seal that no key made stays, and is told of. */
export async function resealHeads(): Promise<number> {
  const keys = sealKeys();
  let resealed = 0;
  let unknown = 0;
  await goThrough("audit-seal", STATEMENT_TIMEOUT_MS, async (tx, after) => {
    const rows = await headListSealedByOthers(tx, { keyId: keys[0].id, after, limit: BATCH });
    const seals = rows.map(renewed);
    if (seals.length > 0) await headReseal(tx, seals);
    const whole = seals.filter(({ isWhole }) => isWhole).length;
    resealed += whole;
    unknown += rows.length - whole;
    return rows.length === BATCH ? rows.at(-1)?.tenantId : undefined;
  });
  if (unknown > 0)
    log.error(
      { logs: unknown },
      "seals of audit logs fit no master key that is set: see `npm run admin -- audit verify`",
    );
  return resealed;
}

/** The same seals by the present key; null for one that is not there, or fits no key. */
function renewed(row: SealedHeadRow): { tenantId: string; start: Buffer | null; end: Buffer | null; isWhole: boolean } {
  const { tenantId, startSeal, endSeal, sealedSeq, sealedHash } = row;
  const keys = sealKeys();
  const renew = (seal: Buffer | null, place: SealedPlace): Buffer | null =>
    isSealOf(keys, seal, place) ? sealOf(keys, place) : null;
  const start = renew(startSeal, placesOf(tenantId, row)[0]);
  const end = sealedHash && renew(endSeal, { of: "end", tenantId, seq: sealedSeq ?? 0, hash: sealedHash });
  return {
    tenantId,
    start,
    end,
    isWhole: (start === null) === (startSeal === null) && (end === null) === (endSeal === null),
  };
}

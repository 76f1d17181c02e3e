// Seals for logs that have none: what was written before there were seals, or by processes of that version while it was replaced. By
// the first upkeep, once, and else by command alone (`npm run admin -- audit seal`): who sealed whatever is found without a
// seal would seal what an attacker left. A log that is broken gets none; one that gets one says so itself, and where it began.
// And other seals in place of those of an earlier master key, so that this one can be thrown away.
import { withSystem } from "../db/tenant";
import { goThrough } from "../db/upkeep";
import { tenantIdFrom, type TenantId } from "../security/principal";
import { onBehalfOf } from "../security/provenance";
import { logger } from "../telemetry/logger";
import { defineAction } from "./action";
import { sealKeys } from "./key";
import { recordForPlatform } from "./platform";
import { record } from "./record";
import { isSealOf, sealOf, type SealedPlace } from "./seal";
import { areLogsSealed, isSayingDue, logsSealed } from "./sealed-installation";
import {
  headCountUnsealed,
  headFind,
  headHold,
  headListSealedByOthers,
  headReseal,
  headSeal,
  logList,
  type ChainEnds,
  type SealedHeadRow,
} from "./store";
import { beginsFirst, isAway, sealedThrough, verifyEntries, type Verification } from "./verify";
import { INSTALLATION, verifyLog } from "./verify-logs";

const log = logger("audit");
const logSealed = defineAction("audit.log.sealed", { from: "plain", through: "plain" });

const LOGS = 500;
const BATCH = 200;
const FIRST = "00000000-0000-0000-0000-000000000000";
const STATEMENT_TIMEOUT_MS = 30_000;
/** Of an hour, for what is left of the logs of before. */
const RUN_MS = 5 * 60_000;

/** `sealed`: now. `was`: it stood under seals. `broken`: left as it is. */
export type Sealing = "sealed" | "was" | "broken";

export type TellSealing = (tenant: string, sealing: Sealing) => void;

const placesOf = (tenantId: string, { seq, hash, keptFrom, keptAfter }: ChainEnds): [SealedPlace, SealedPlace] => [
  { of: "start", tenantId, seq: keptFrom, hash: keptAfter },
  { of: "end", tenantId, seq, hash },
];

async function isSealed(tenantId: TenantId, ends: ChainEnds): Promise<boolean> {
  const [start] = placesOf(tenantId, ends);
  if (!beginsFirst(ends) && !isSealOf(sealKeys(), ends.startSeal, start)) return false;
  return ends.seq === 0 || (await sealedThrough({ tenantId }, ends)) === ends.seq;
}

/** Of an organisation or the installation, by its id. */
export async function sealLog(tenant: string): Promise<Sealing> {
  try {
    const tenantId = tenantIdFrom(tenant);
    if (await isSealed(tenantId, await headFind({ tenantId }))) return "was";
    for (let page: Verification = { checked: 0, through: 0, isDone: false }; !page.isDone;) {
      page = await verifyEntries({ tenantId }, page.through);
      if (page.broken !== undefined) return "broken";
    }
    await seal(tenantId);
    return "sealed";
  } catch (error) {
    if (isAway(error)) throw error;
    log.error({ err: error, tenantId: tenant }, "an audit log cannot be read, and is not sealed");
    return "broken";
  }
}

function seal(tenantId: TenantId): Promise<void> {
  return withSystem("audit-seal", async (tx) => {
    const ends = await headHold(tx, tenantId);
    if (ends === undefined) return;
    const [start, end] = placesOf(tenantId, ends).map((place) => sealOf(sealKeys(), place));
    await headSeal(tx, tenantId, { start: beginsFirst(ends) ? null : (start ?? null), end: end ?? null });
    // Of an organisation that is gone nobody reads it, and it would keep the log from its end.
    if (!ends.isGone) await record(tx, logSealed, { tenantId, fields: { from: ends.keptFrom, through: ends.seq } });
  });
}

export interface SealedLogs {
  logs: number;
  sealed: number;
  broken: number;
  /** False when the time was up before. */
  isDone: boolean;
}

/** Seals what no seal covers of all logs; once all had their turn the installation's log says so, and a missing seal is a break. */
export async function sealLogs(tell: TellSealing = () => undefined, runMs = Infinity): Promise<SealedLogs> {
  const endsAtMs = performance.now() + runMs;
  const sum: SealedLogs = { logs: 0, sealed: 0, broken: 0, isDone: false };
  for (let after: string | undefined = FIRST; after !== undefined;) {
    const from: string = after;
    const page = await withSystem("audit-seal", (tx) => logList(tx, from, LOGS));
    for (const tenant of page) {
      if (performance.now() > endsAtMs) return sum;
      const sealing = await sealLog(tenant);
      sum.logs++;
      if (sealing !== "was") sum[sealing]++;
      tell(tenant, sealing);
    }
    after = page.length === LOGS ? page.at(-1) : undefined;
  }
  await saySealed(sum);
  return { ...sum, isDone: true };
}

const saySealed = ({ logs, sealed }: Pick<SealedLogs, "logs" | "sealed">): Promise<void> =>
  withSystem("audit-seal", (tx) => recordForPlatform(tx, logsSealed, { fields: { logs, sealed } }));

/** Each hour: what an earlier master key sealed; the first time all logs of before; then, each month, that they are sealed. */
export async function maintainSeals(now: Date): Promise<void> {
  await resealHeads();
  await onBehalfOf("system:audit.seal", async () => {
    if (!(await areLogsSealed())) {
      // It may be broken because somebody took out of it that all were sealed: then this would seal what they left of others.
      if ((await verifyLog(INSTALLATION))?.broken.length) {
        log.error(
          "the installation's audit log is broken: logs without a seal get one by `npm run admin -- audit seal` alone",
        );
        return;
      }
      const { broken, ...sum } = await sealLogs(undefined, RUN_MS);
      log.warn({ ...sum, broken }, "audit logs of before there were seals are sealed");
      return;
    }
    const unsealed = await headCountUnsealed();
    if (unsealed > 0)
      log.warn({ logs: unsealed }, "audit logs are not wholly under seals: see `npm run admin -- audit verify`");
    if (!(await isSayingDue(now))) return;
    await saySealed({ logs: await countLogs(), sealed: 0 });
  });
}

async function countLogs(): Promise<number> {
  let logs = 0;
  await goThrough("audit-seal", STATEMENT_TIMEOUT_MS, async (tx, after) => {
    const page = await logList(tx, after, LOGS);
    logs += page.length;
    return page.length === LOGS ? page.at(-1) : undefined;
  });
  return logs;
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

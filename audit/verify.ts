// The check of an organisation's log: that no entry was changed, removed or added, and what of it no seal covers. In pages, because
// a log is long.
import { isDeepStrictEqual } from "node:util";
import { DbError } from "../db/errors";
import type { TenantScope } from "../db/tenant";
import { tenantIdFrom } from "../security/principal";
import { errorText } from "../telemetry/error-text";
import { findBreak, NO_HASH, type ChainBreak } from "./chain";
import { auditKeys, sealKeys } from "./key";
import { isSealOf, type SealedPlace } from "./seal";
import { areLogsSealed } from "./sealed-installation";
import { entryBefore, entryChain, entryLast, headFind, NO_ENDS, type ChainEnds } from "./store";

/** Entries per page: a few milliseconds of hashing. */
const PAGE = 1_000;

export interface Verification {
  /** Entries checked in this page. */
  checked: number;
  /** Number of the last entry that was checked. */
  through: number;
  /** Whether there are more. */
  isDone: boolean;
  broken?: ChainBreak;
  /** With the last page: what no seal covers. Absent where seals cover all. */
  unsealed?: Unsealed;
}

export interface Unsealed {
  /** Whether entries may have been removed in front of the first one that is kept. */
  start: boolean;
  /** The last entry that a seal covers; 0: none. Behind those that are newer some may have been removed. */
  after: number;
}

/** An entry from `seq` on, or what is known of the log, is of a kind that the app never writes, or takes longer to read than it may. */
export interface UnreadableLog {
  seq: number;
  what: "unreadable";
  reason: string;
}

export type LogBreak = ChainBreak | UnreadableLog;

export interface CheckedPage extends Omit<Verification, "broken"> {
  broken?: LogBreak;
}

/**
 * As verifyPage of that tenant's log; what cannot be read is what somebody wanted nobody to read: a finding as any other, which ends
 * the check. @throws DbError of a database that is away: that says nothing about a log.
 */
export async function checkPage(tenant: string, after = 0): Promise<CheckedPage> {
  try {
    return await verifyPage({ tenantId: tenantIdFrom(tenant) }, after);
  } catch (error) {
    if (isAway(error)) throw error;
    const broken = { seq: after + 1, what: "unreadable", reason: errorText(error) } as const;
    return { checked: 0, through: after, isDone: true, broken };
  }
}

export const isAway = (error: unknown): boolean =>
  error instanceof DbError && (error.kind === "unavailable" || error.kind === "pool_exhausted");

/** How often a page is read again because the log went on meanwhile. */
const READ_AGAIN_MAX = 5;

type Judge = (scope: TenantScope, ends: ChainEnds) => Promise<Judged>;

/** Checks the entries after number `after` (0: from the first that is kept), `size` at most. */
export async function verifyPage(
  scope: TenantScope,
  after = 0,
  size = PAGE,
  judge: Judge = judgeSeals,
): Promise<Verification> {
  for (let again = 0; ; again++) {
    const ends = await headFind(scope);
    const page = await verifyBetween(scope, ends, after, size);
    const verification = page.isDone && page.broken === undefined ? { ...page, ...(await judge(scope, ends)) } : page;
    if (verification.broken === undefined || again === READ_AGAIN_MAX) return verification;
    // Retention, an entry or another seal may have come between the reads: then what was read does not belong together.
    if (isSame(await headFind(scope), ends)) return verification;
  }
}

/** Whether a log has not gone on. */
export const isSame = (one: ChainEnds, other: ChainEnds): boolean => isDeepStrictEqual({ ...one }, { ...other });

/** The same of the entries alone, whatever stands under a seal. */
export const verifyEntries = (scope: TenantScope, after: number): Promise<Verification> =>
  verifyPage(scope, after, PAGE, () => Promise.resolve({}));

type Judged = Pick<Verification, "broken" | "unsealed">;

/**
 * Whether the log begins and ends where the app has let it. A place without a seal may be of before there were any, or of a process of
 * that version beside this one, until somebody said that all logs stand under seals; from then on the seal was taken away. An end
 * that was cut below its seal, or a seal of the end over an entry that it does not fit, was never the app's.
 */
export async function judgeSeals(
  { tenantId }: TenantScope,
  ends: ChainEnds,
  areSealed: () => Promise<boolean> = areLogsSealed,
): Promise<Judged> {
  const { seq, keptFrom, keptAfter, startSeal, sealedSeq } = ends;
  if (ends === NO_ENDS) return {};
  // The app begins no log without an entry.
  if (seq === 0) return { broken: { seq: 1, what: "missing" } };
  if (sealedSeq !== null && sealedSeq > seq) return { broken: { seq: seq + 1, what: "missing" } };
  const start: SealedPlace = { of: "start", tenantId, seq: keptFrom, hash: keptAfter };
  const isStartSealed = beginsFirst(ends) || isSealOf(sealKeys(), startSeal, start);
  const after = await sealedThrough({ tenantId }, ends);
  if (isStartSealed && after === seq) return {};
  const areAllSealed = await areSealed();
  if (!isStartSealed && areAllSealed) return { broken: { seq: keptFrom, what: "unsealed" } };
  // Behind what retention has removed since, nothing of what it was over is left to fit it.
  const isOverKept = sealedSeq !== null && sealedSeq >= keptFrom - 1;
  if (after === 0 && (areAllSealed || isOverKept)) return { broken: { seq, what: "unsealed" } };
  return { unsealed: { start: !isStartSealed, after } };
}

/** As a log that retention has taken nothing from. */
export const beginsFirst = ({ keptFrom, keptAfter }: ChainEnds): boolean => keptFrom === 1 && keptAfter.equals(NO_HASH);

/** Number of the last entry that the end's seal covers; 0 when it fits none. */
export async function sealedThrough(scope: TenantScope, ends: ChainEnds): Promise<number> {
  const { seq, hash, keptFrom, keptAfter, sealedSeq, endSeal } = ends;
  if (sealedSeq === null) return 0;
  const find = async (): Promise<Buffer | undefined> => {
    if (sealedSeq === seq) return hash;
    if (sealedSeq === keptFrom - 1) return keptAfter;
    return (await entryChain(scope, sealedSeq, 1)).find((entry) => entry.seq === sealedSeq)?.hash;
  };
  const found = await find();
  const { tenantId } = scope;
  const isSealed =
    found !== undefined && isSealOf(sealKeys(), endSeal, { of: "end", tenantId, seq: sealedSeq, hash: found });
  return isSealed ? sealedSeq : 0;
}

async function verifyBetween(scope: TenantScope, ends: ChainEnds, after: number, size: number): Promise<Verification> {
  // Behind the end there is nothing to check but the end itself.
  const from = Math.max(Math.min(after, ends.seq) + 1, ends.keptFrom);
  // One entry before, whose hash the first one continues.
  const isFirst = from === ends.keptFrom;
  const entries = await entryChain(scope, isFirst ? from : from - 1, size + 1);
  const before = isFirst ? ends.keptAfter : entries.shift()?.hash;
  const page = entries.slice(0, size).filter(({ seq }) => seq <= ends.seq);
  const through = from + page.length - 1;
  if (before === undefined)
    return { checked: 0, through: from - 1, isDone: true, broken: { seq: from - 1, what: "missing" } };
  const broken = findBreak(auditKeys(), { seq: from, before }, page) ?? breakAtEnd(ends, page, size, through);
  const isDone = broken !== undefined || through >= ends.seq;
  const first = isDone ? (broken ?? (await findBefore(scope, ends)) ?? (await findBehind(scope))) : undefined;
  return { checked: page.length, through, isDone, ...(first === undefined ? {} : { broken: first }) };
}

/** An entry in front of what is kept. */
async function findBefore(scope: TenantScope, { keptFrom }: ChainEnds): Promise<ChainBreak | undefined> {
  const seq = await entryBefore(scope, keptFrom);
  return seq === undefined ? undefined : { seq, what: "added" };
}

/** An entry that the log's end does not know. The end is read after it: what was recorded meanwhile is known to it. */
async function findBehind(scope: TenantScope): Promise<ChainBreak | undefined> {
  const last = await entryLast(scope);
  const { seq } = await headFind(scope);
  if (last <= seq) return undefined;
  const [first] = await entryChain(scope, seq + 1, 1);
  return { seq: first?.seq ?? last, what: "added" };
}

/** The last entry must be the one that the head names. */
function breakAtEnd(
  ends: ChainEnds,
  page: readonly { hash: Buffer }[],
  size: number,
  through: number,
): ChainBreak | undefined {
  if (through > ends.seq) return undefined;
  if (through < ends.seq) return page.length === size ? undefined : { seq: through + 1, what: "missing" };
  const last = page.at(-1);
  return last === undefined || last.hash.equals(ends.hash) ? undefined : { seq: through, what: "changed" };
}

// The check of an organisation's log: that no entry was changed, removed or added. In pages, because a log is long.
import type { TenantScope } from "../db/tenant";
import { findBreak, type ChainBreak } from "./chain";
import { auditKeys } from "./key";
import { entryBefore, entryChain, entryLast, headFind, type ChainEnds } from "./store";

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
}

/** Checks the entries after number `after` (0: from the first that is kept), `size` at most. */
export async function verifyPage(scope: TenantScope, after = 0, size = PAGE): Promise<Verification> {
  const ends = await headFind(scope);
  const verification = await verifyBetween(scope, ends, after, size);
  // Retention may have removed the first entries between the two reads: what is kept then begins later.
  const isMoved = verification.broken !== undefined && (await headFind(scope)).keptFrom !== ends.keptFrom;
  return isMoved ? verifyPage(scope, after, size) : verification;
}

async function verifyBetween(scope: TenantScope, ends: ChainEnds, after: number, size: number): Promise<Verification> {
  const from = Math.max(after + 1, ends.keptFrom);
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

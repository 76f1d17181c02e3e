// The check of one log, or of all, by command: every entry, in pages, one log after the other. A log that is broken, or cannot be read, ends it for
// itself alone: what else was changed is to be known too. It reads only, and beside the running app: what is recorded meanwhile,
// or removed by retention, is no break.
import { withSystem } from "../db/tenant";
import { tenantIdFrom } from "../security/principal";
import { platformLog } from "./platform";
import { logExists, logList, logsBegunOtherwise } from "./store";
import { checkPage, type CheckedPage, type LogBreak, type Unsealed } from "./verify";

/** Whose logs are looked up at once. */
const LOGS = 500;
/** Before the id of every log. */
export const FIRST = "00000000-0000-0000-0000-000000000000";
/** Of what concerns no organisation. */
export const INSTALLATION = "installation";

/** The log of an organisation that is there begins, but not with its creation: the one before was removed with its head. */
export interface RestartedLog {
  seq: 1;
  what: "restarted";
}

export interface BrokenLog {
  /** The organisation, or INSTALLATION. */
  log: string;
  broken: LogBreak | RestartedLog;
}

/** What is known elsewhere of organisations: each that is there has a log, and it begins with its creation until retention removes that. */
export interface KnownOrganisations {
  /** Ids of those that are there, in their order, behind `after`. */
  list: (after: string, limit: number) => Promise<string[]>;
  isThere: (id: string) => Promise<boolean>;
  /** The action of the entry that each log begins with. */
  firstAction: string;
}

export interface UnsealedLog extends Unsealed {
  log: string;
}

export interface LogsCheck {
  logs: number;
  entries: number;
  broken: BrokenLog[];
  /** Of those that are not broken: what no seal covers. */
  unsealed: UnsealedLog[];
}

/** After each page: what was checked so far, and up to which entry of the log at hand. */
export type TellProgress = (sum: Readonly<LogsCheck>, at: { log: string; through: number }) => void;

const nothing = (): LogsCheck => ({ logs: 0, entries: 0, broken: [], unsealed: [] });

/** Of an organisation, or INSTALLATION; undefined when it has no log, and needs none. */
export async function verifyLog(
  log: string,
  tell: TellProgress = () => undefined,
  organisations?: KnownOrganisations,
): Promise<LogsCheck | undefined> {
  const tenantId = log === INSTALLATION ? platformLog.tenantId : tenantIdFrom(log);
  const sum = nothing();
  const hasLog = await logExists({ tenantId });
  if (hasLog) await verifyInto(sum, tenantId, tell);
  if (organisations !== undefined && (await organisations.isThere(tenantId)))
    await verifyBeginnings(sum, [tenantId], organisations);
  return hasLog || sum.broken.length > 0 ? sum : undefined;
}

interface WantedLogs {
  /** But for those up to this one. */
  after?: string;
  /** How many are looked up at once. */
  size?: number;
  /** Those that must have one. */
  organisations?: KnownOrganisations;
}

/** Of all that there are, the installation's too, in the order of their ids; then of all that there should be. */
export async function verifyLogs(
  tell: TellProgress = () => undefined,
  { after = FIRST, size = LOGS, organisations }: WantedLogs = {},
): Promise<LogsCheck> {
  const sum = nothing();
  const logs = (from: string): Promise<string[]> => withSystem("audit-verify", (tx) => logList(tx, from, size));
  for await (const page of pagesOf(logs, after, size))
    for (const tenantId of page) await verifyInto(sum, tenantId, tell);
  if (organisations === undefined) return sum;
  const those = (from: string): Promise<string[]> => organisations.list(from, size);
  for await (const page of pagesOf(those, after, size)) await verifyBeginnings(sum, page, organisations);
  return sum;
}

async function* pagesOf(
  read: (from: string) => Promise<string[]>,
  after: string,
  size: number,
): AsyncGenerator<readonly string[]> {
  for (let last: string | undefined = after; last !== undefined;) {
    const page: string[] = await read(last);
    yield page;
    last = page.length === size ? page.at(-1) : undefined;
  }
}

/** Adds organisations that have no log, or whose log begins with something else than their creation. */
async function verifyBeginnings(
  sum: LogsCheck,
  ids: readonly string[],
  { firstAction }: KnownOrganisations,
): Promise<void> {
  const known = new Set(sum.broken.map(({ log }) => log));
  for (const { tenantId, hasLog } of await logsBegunOtherwise(ids, firstAction)) {
    if (known.has(tenantId)) continue;
    const broken = hasLog ? ({ seq: 1, what: "restarted" } as const) : ({ seq: 1, what: "missing" } as const);
    sum.broken.push({ log: tenantId, broken });
  }
}

async function verifyInto(sum: LogsCheck, tenant: string, tell: TellProgress): Promise<void> {
  const log = tenant === platformLog.tenantId ? INSTALLATION : tenant;
  sum.logs++;
  for (let page: CheckedPage = { checked: 0, through: 0, isDone: false }; !page.isDone;) {
    page = await checkPage(tenant, page.through);
    sum.entries += page.checked;
    if (page.broken !== undefined) sum.broken.push({ log, broken: page.broken });
    if (page.unsealed !== undefined) sum.unsealed.push({ log, ...page.unsealed });
    tell(sum, { log, through: page.through });
  }
}

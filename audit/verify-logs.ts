// The check of one log, or of all, by command: every entry, in pages, one log after the other. A log that is broken, or cannot be read, ends it for
// itself alone: what else was changed is to be known too. It reads only, and beside the running app: what is recorded meanwhile,
// or removed by retention, is no break.
import { withSystem } from "../db/tenant";
import { tenantIdFrom } from "../security/principal";
import { platformLog } from "./platform";
import { logExists, logList } from "./store";
import { checkPage, type CheckedPage, type LogBreak, type Unsealed } from "./verify";

/** Whose logs are looked up at once. */
const LOGS = 500;
/** Before the id of every log. */
export const FIRST = "00000000-0000-0000-0000-000000000000";
/** Of what concerns no organisation. */
export const INSTALLATION = "installation";

export interface BrokenLog {
  /** The organisation, or INSTALLATION. */
  log: string;
  broken: LogBreak;
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

/** Of an organisation, or INSTALLATION; undefined when it has no log. */
export async function verifyLog(log: string, tell: TellProgress = () => undefined): Promise<LogsCheck | undefined> {
  const tenantId = log === INSTALLATION ? platformLog.tenantId : tenantIdFrom(log);
  if (!(await logExists({ tenantId }))) return undefined;
  const sum = nothing();
  await verifyInto(sum, tenantId, tell);
  return sum;
}

/** Of all that there are, the installation's too, in the order of their ids; `after`: but for those up to this one. */
export async function verifyLogs(tell: TellProgress = () => undefined, after = FIRST, size = LOGS): Promise<LogsCheck> {
  const sum = nothing();
  for (let last: string | undefined = after; last !== undefined;) {
    const from: string = last;
    const page = await withSystem("audit-verify", (tx) => logList(tx, from, size));
    for (const tenantId of page) await verifyInto(sum, tenantId, tell);
    last = page.length === size ? page.at(-1) : undefined;
  }
  return sum;
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

// The organisation's audit log: read, written out, checked.
import { api, type Query } from "encore.dev/api";
import { CronJob } from "encore.dev/cron";
import type { Max, MaxLen, Min } from "encore.dev/validate";
import { beginReading } from "../db/acting";
import { parseCursor } from "../db/cursor";
import { downloadHeaders } from "../security/headers";
import { currentPrincipal } from "../security/principal";
import { logger } from "../telemetry/logger";
import { exportEntries } from "./export";
import { enterExport } from "./export-turns";
import { purgeAudit } from "./retention";
import { maintainSeals } from "./sealing";
import { shownEntry } from "./shown-entry";
import { entryList } from "./store";
import { checkPage } from "./verify";

interface ListAuditRequest {
  /** Only entries of this action, for example auth.member.removed. */
  action?: Query<string & MaxLen<130>>;
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<200>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface AuditTarget {
  type: string;
  id: string;
}

interface AuditEntry {
  id: string;
  /** Number in the organisation's log, from 1, without gaps. */
  seq: number;
  /** ISO 8601. */
  at: string;
  action: string;
  /** `kind:id` of who acted; begins with "system" for what the app did by itself. */
  actor: string;
  target?: AuditTarget;
  /** The same for all that follows from one request. */
  correlationId: string;
  fields: { [name: string]: string | number | boolean | null };
  /** What tells of a person; absent when there is nothing or it was erased. */
  personal?: { [name: string]: string | number | boolean | null };
}

interface ListAuditResponse {
  entries: AuditEntry[];
  /** Absent on the last page. */
  next?: string;
}

/** Who did what, the newest first. */
export const listEntries = api(
  { expose: true, auth: true, method: "GET", path: "/auth/audit", tags: ["can:audit.read", "shows:audit.personal"] },
  async (req: ListAuditRequest): Promise<ListAuditResponse> => {
    const principal = currentPrincipal();
    const cursor = parseCursor(req.cursor);
    const { rows, next } = await entryList(principal, req.action, Math.floor(req.limit ?? 50), cursor);
    return { entries: rows.map((row) => shownEntry(row, principal)), ...(next === undefined ? {} : { next }) };
  },
);

interface VerifyAuditRequest {
  /** `through` of the answer before, to go on after it. */
  after?: Query<number & Min<0> & Max<9007199254740991>>;
}

interface AuditBreak {
  /** Number of the first entry that is not as it was written; of one that cannot be read, where the page begins that holds it. */
  seq: number;
  /** `unsealed`: the log begins, or ends, where the app has not let it. `unreadable`: the app would never write it so, or it takes longer to read than it may. */
  what: "missing" | "changed" | "added" | "unsealed" | "unreadable";
}

interface AuditUnsealed {
  /** Whether entries may have been removed in front of the first one that is kept. */
  start: boolean;
  /** The last entry that a seal covers, 0 for none: behind those that are newer some may have been removed. */
  after: number;
}

interface VerifyAuditResponse {
  /** Entries that this answer has checked. */
  checked: number;
  /** Number of the last one. */
  through: number;
  /** False: ask again with `after`. */
  isDone: boolean;
  /** Absent while the log holds. */
  broken?: AuditBreak;
  /** With the last answer: what is under no seal yet, because it was written before there were any. Absent where all of the log is. */
  unsealed?: AuditUnsealed;
}

/** Checks that no entry was changed, removed or added; a thousand entries an answer. */
export const verify = api(
  { expose: true, auth: true, method: "GET", path: "/auth/audit/verify", tags: ["can:audit.read"] },
  async (req: VerifyAuditRequest): Promise<VerifyAuditResponse> => {
    const { tenantId } = currentPrincipal();
    const { broken, ...page } = await checkPage(tenantId, Math.floor(req.after ?? 0));
    if (broken === undefined) return page;
    const { seq, what } = broken;
    if (what === "unreadable")
      logger("audit").error({ tenantId, seq, reason: broken.reason }, "an audit log cannot be read");
    return { ...page, broken: { seq, what } };
  },
);

/** The whole log as lines of JSON, oldest first; the last line has the number of entries and the last hash. */
export const exportLog = api.raw(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/auth/audit/export",
    tags: ["can:audit.read", "shows:audit.personal", "limit:export"],
  },
  async (_req, resp) => {
    const principal = currentPrincipal();
    const leave = enterExport(principal);
    try {
      const reading = await beginReading(principal, "audit.read");
      resp.setHeader("content-type", "application/x-ndjson; charset=utf-8");
      const headers = downloadHeaders(`audit-${principal.tenantId}.ndjson`);
      for (const [name, value] of Object.entries(headers)) resp.setHeader(name, value);
      await exportEntries(principal, resp, reading);
    } finally {
      leave();
    }
  },
);

export const purge = api({ expose: false, method: "POST", path: "/auth/audit/purge" }, async (): Promise<void> => {
  await purgeAudit();
});

export const seal = api({ expose: false, method: "POST", path: "/auth/audit/seal" }, async (): Promise<void> => {
  await maintainSeals();
});

export const sealHourly = new CronJob("audit-seal", {
  title: "Seal where audit logs begin and end by the present master key",
  every: "1h",
  endpoint: seal,
});

// A run has five minutes: as often as that it keeps pace with ten times an entry for each event of the pipeline.
export const purgeOften = new CronJob("audit-purge", {
  title: "Delete entries of the audit log past their retention",
  every: "10m",
  endpoint: purge,
});

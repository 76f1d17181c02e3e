// Everything that an organisation may take with it, as lines of JSON (NDJSON), for its owner: a first line that says what
// follows and what does not, a line a row, a last line with the counts and the SHA-256 of all before it. No last line: the
// export was cut off. What holds of its state:
//   consistent  a small organisation (each table one page, a megabyte in all): one state of the database, read before the
//               first row is written; only members' addresses, which are the accounts', are read a moment before
//   otherwise   a page at a time, so that nobody waits for it (the embedded database has one session) and no server keeps
//               old rows for a slow reader: each row as it was when its page was read, none twice, none missed that was there
//               all the time; rows of two tables may be of two moments
// Who began it is asked for again while it runs: one who was removed, or signed out, gets no more.
import type { Writable } from "node:stream";
import { defineAction } from "../audit/action";
import { NdjsonWriter } from "../audit/ndjson";
import { record } from "../audit/record";
import { beginReading, goOn, type Reading } from "../db/acting";
import { withTenant } from "../db/tenant";
import { declaredExports, type ExportedTable } from "../db/tenant-export";
import { exportPage } from "../db/tenant-export-page";
import { organisationExportStarted } from "../events/catalog/auth";
import { emit } from "../events/outbox";
import type { Principal } from "../security/principal";
import { logger } from "../telemetry/logger";
import { errors } from "./errors";

const FORMAT = "groundwork.organisation-export";
const VERSION = 1;
/** What is read in one transaction and kept until it is written. */
const SNAPSHOT_BYTES = 1024 * 1024;

const started = defineAction("auth.organisation.export_started", {});
const completed = defineAction("auth.organisation.export_completed", {
  rows: "plain",
  sha256: "plain",
  consistent: "plain",
});

/**
 * Says that it begins, in the log and as an event, before anything is handed out.
 * @throws APIError organisation_not_found for any but the caller's present one; export_unavailable; invalid_token, permission_denied.
 */
export async function beginExport(principal: Principal, id: string): Promise<Reading> {
  const { tenantId, subjectId } = principal;
  if (id !== tenantId) throw errors.organisation_not_found();
  const { missing } = declaredExports();
  if (missing.length > 0) throw errors.export_unavailable({ internal: `not hosted here: ${missing.join(", ")}` });
  const reading = await beginReading(principal, "organisation.export");
  await withTenant(principal, async (tx) => {
    const payload = { organisationId: tenantId, userId: subjectId };
    await emit(tx, organisationExportStarted, payload, { aggregateType: "organisation", aggregateId: tenantId });
    await record(tx, started, { target: { type: "organisation", id: tenantId }, fields: {} });
  });
  return reading;
}

export interface ExportOptions {
  /** Of beginExport: whether who began it may still have it. */
  reading: Reading;
  snapshotBytes?: number;
}

/** After beginExport. Resolves when all is written, or the reader has left; what fails on the way ends the connection. */
export async function writeExport(
  principal: Principal,
  to: Writable,
  startedAt: Date,
  options: ExportOptions,
): Promise<void> {
  try {
    const run = new Run(principal, new NdjsonWriter(to), options);
    await run.write(startedAt);
  } catch (error) {
    logger("auth").error({ err: error }, "an organisation's export was cut off");
    to.destroy();
  }
}

interface TablePage {
  table: ExportedTable;
  lines: string[];
}

class Run {
  private readonly counts: Record<string, number> = {};

  constructor(
    private readonly principal: Principal,
    private readonly writer: NdjsonWriter,
    private readonly options: ExportOptions,
  ) {}

  async write(startedAt: Date): Promise<void> {
    const { exported } = declaredExports();
    const snapshot = await snapshotOf(this.principal, exported, this.options.snapshotBytes ?? SNAPSHOT_BYTES);
    const pages = snapshot ?? this.pagesOf(exported);
    for (const table of exported) this.counts[table.name] = 0;
    if (!(await this.writer.write(`${JSON.stringify(headOf(this.principal, startedAt))}\n`))) return;
    for await (const page of pages) if (!(await this.writePage(page))) return;
    const rows = Object.values(this.counts).reduce((sum, n) => sum + n, 0);
    const { sha256 } = this.writer;
    const consistent = snapshot !== undefined;
    await withTenant(this.principal, (tx) =>
      record(tx, completed, {
        target: { type: "organisation", id: this.principal.tenantId },
        fields: { rows, sha256, consistent },
      }),
    );
    this.writer.end(`${JSON.stringify({ end: true, rows, tables: this.counts, consistent, sha256 })}\n`);
  }

  private async writePage({ table: { name }, lines }: TablePage): Promise<boolean> {
    this.counts[name] = (this.counts[name] ?? 0) + lines.length;
    const text = lines.map((line) => `{"table":"${name}","row":${line}}\n`).join("");
    return text === "" || this.writer.write(text);
  }

  private async *pagesOf(tables: readonly ExportedTable[]): AsyncGenerator<TablePage> {
    for (const table of tables)
      for (let after: string[] | undefined, isFirst = true; isFirst || after !== undefined; isFirst = false) {
        await goOn(this.options.reading);
        const page = await exportPage(this.principal, table, after);
        yield { table, lines: page.lines };
        after = page.next;
      }
  }
}

/** All of it in one state of the database; undefined when it is more than that. */
async function snapshotOf(
  principal: Principal,
  tables: readonly ExportedTable[],
  bytesMax: number,
): Promise<TablePage[] | undefined> {
  const read = async (of: readonly ExportedTable[], tx?: Parameters<typeof exportPage>[3]) => {
    const pages = new Map<string, TablePage>();
    let bytes = 0;
    for (const table of of) {
      const { lines, next } = await exportPage(principal, table, undefined, tx);
      bytes += lines.reduce((sum, line) => sum + line.length, 0);
      if (next !== undefined || bytes > bytesMax) return undefined;
      pages.set(table.name, { table, lines });
    }
    return pages;
  };
  const joined = await read(tables.filter((table) => table.joined !== undefined));
  if (joined === undefined) return undefined;
  const own = tables.filter((table) => table.joined === undefined);
  const found = await withTenant(principal, (tx) => read(own, tx), { isSnapshot: true });
  return found && tables.flatMap(({ name }) => found.get(name) ?? joined.get(name) ?? []);
}

function headOf({ tenantId, subjectId }: Principal, startedAt: Date): unknown {
  const { exported, left } = declaredExports();
  const tables = exported.map(({ name, columns, joined, personal = [], omitted = {} }) => [
    name,
    { columns: [...columns, ...Object.keys(joined?.columns ?? {})], personal, omitted },
  ]);
  return {
    format: FORMAT,
    version: VERSION,
    organisationId: tenantId,
    startedAt: startedAt.toISOString(),
    startedBy: subjectId,
    tables: Object.fromEntries(tables) as unknown,
    notExported: left,
  };
}

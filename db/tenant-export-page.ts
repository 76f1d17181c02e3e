// One page of a table for an organisation's export: in the order of an index (keyset, no OFFSET), as many rows as fit in
// a number of rows and of bytes. Rows become JSON in the database, so that times keep their microseconds. The size of a
// long column is asked without reading it (octet_length of a text looks at its header), so a page of long texts costs
// those that it hands out and no others.
import { systemQuery, tenantQuery, type TenantScope, type Tx } from "./tenant";
import type { ExportedTable } from "./tenant-export";

const PAGE_ROWS = 500;
/** A page is at most so large, or one row. */
export const PAGE_BYTES = 512 * 1024;
/** What a row costs besides its long columns. */
const ROW_BYTES = 256;

export interface ExportPage {
  /** One JSON object each. */
  lines: string[];
  /** Where the next page begins; undefined when this was the last. */
  next: string[] | undefined;
}

interface Row {
  line: string;
  key: string[];
  bytes: number;
}

/** The page after `after`, in `tx` or by a statement of its own. */
export async function exportPage(
  scope: TenantScope,
  table: ExportedTable,
  after: readonly string[] | undefined,
  tx?: Tx,
): Promise<ExportPage> {
  const text = pageOf(table, after !== undefined);
  const params = [scope.tenantId, PAGE_ROWS, PAGE_BYTES, ...(after ?? [])];
  const rows = await ask<Row>(scope, table, tx, text, params);
  const last = rows.at(-1);
  const bytes = rows.reduce((sum, row) => sum + row.bytes, 0);
  const isLast = rows.length < PAGE_ROWS && bytes < PAGE_BYTES;
  return { lines: rows.map(({ line }) => line), next: isLast ? undefined : last?.key };
}

function ask<R>(
  scope: TenantScope,
  table: ExportedTable,
  tx: Tx | undefined,
  text: string,
  params: unknown[],
): Promise<R[]> {
  if (table.joined !== undefined) return systemQuery<R>(table.joined.reason, text, params);
  return tx === undefined ? tenantQuery<R>(scope, text, params) : tx.query<R>(text, params);
}

/** Parameters: tenant, rows, bytes, and the key of the last row before. */
function pageOf(table: ExportedTable, goesOn: boolean): string {
  const { name, tenantColumn = "tenant_id", large = [], joined, within } = table;
  const keys = Object.keys(table.order);
  const ordered = keys.map((key) => `t.${key}`).join(", ");
  const from = Object.values(table.order).map((type, i) => `$${i + 4}::text::${type}`);
  const added = Object.entries(joined?.columns ?? {}).map(([column, sql]) => `, ${sql} as ${column}`);
  const weight = [ROW_BYTES, ...large.map((column) => `coalesce(octet_length(t.${column}::text), 0)`)].join(" + ");
  const shown = [...table.columns, ...Object.keys(joined?.columns ?? {})];
  return `with page as (
      select t.*${added.join("")}, (${weight})::bigint as export_bytes, row_number() over (order by ${ordered}) as export_row
        from ${name} t ${joined?.sql ?? ""}
       where t.${tenantColumn} = $1${within === undefined ? "" : ` and ${within}`}${goesOn ? ` and (${ordered}) > (${from.join(", ")})` : ""}
       order by ${ordered} limit $2
    ), fitting as (
      select *, sum(export_bytes) over (order by export_row) - export_bytes as export_before from page
    )
    select json_build_object(${shown.map((column) => `'${column}', ${column}`).join(", ")})::text as line,
           array[${keys.map((key) => `${key}::text`).join(", ")}] as key, export_bytes::float8 as bytes
      from fitting where export_before < $3 order by export_row`;
}

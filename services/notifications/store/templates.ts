// The SQL of templates and of the subscribers of topics.
import {
  beforeCursor,
  cursorMicros,
  cursorParams,
  pageOf,
  type Cursor,
  type CursorRow,
  type Page,
} from "../../../db/cursor";
import { tenantQuery, type TenantScope, type Tx } from "../../../db/tenant";
import type { TemplateSource } from "../templates";

export interface TemplateRow extends TemplateSource, CursorRow {
  name: string;
  updatedAt: Date;
}

export const TEMPLATES_MAX = 1_000;

/** False when the organisation has as many as it may. */
export async function templatePut(
  tx: Tx,
  tenantId: string,
  { id, name, language, title, body, url }: TemplateSource & { id: string; name: string },
): Promise<boolean> {
  const changed = await tx.execute(
    `insert into notifications.template (tenant_id, id, name, language, title, body, url)
     select $1, $2, $3, $4, $5, $6, $7
      where exists (select 1 from notifications.template where tenant_id = $1 and name = $3 and language = $4)
         or (select count(*) from (select 1 from notifications.template where tenant_id = $1 limit ${TEMPLATES_MAX}) t) < ${TEMPLATES_MAX}
     on conflict (tenant_id, name, language) do update
        set title = excluded.title, body = excluded.body, url = excluded.url, updated_at = now()`,
    [tenantId, id, name, language, title, body, url],
  );
  return changed === 1;
}

/** All languages of a template. */
export function templateFind(scope: TenantScope, name: string, limit: number): Promise<TemplateSource[]> {
  return tenantQuery<TemplateSource>(
    scope,
    `select language, title, body, url from notifications.template where tenant_id = $1 and name = $2
      order by language limit $3`,
    [scope.tenantId, name, limit],
  );
}

/** The newest first. */
export async function templateList(
  scope: TenantScope,
  limit: number,
  from: Cursor | undefined,
): Promise<Page<TemplateRow>> {
  const rows = await tenantQuery<TemplateRow>(
    scope,
    `select id, name, language, title, body, url, updated_at as "updatedAt", ${cursorMicros("created_at")} as "cursorMicros"
       from notifications.template where tenant_id = $1 and ${beforeCursor("created_at", "id", 2)}
      order by created_at desc, id desc limit $4`,
    [scope.tenantId, ...cursorParams(from), limit + 1],
  );
  return pageOf(rows, limit);
}

/** False when there is none. */
export async function templateDelete(scope: TenantScope, name: string, language: string): Promise<boolean> {
  const rows = await tenantQuery(
    scope,
    `delete from notifications.template where tenant_id = $1 and name = $2 and language = $3 returning 1`,
    [scope.tenantId, name, language],
  );
  return rows.length > 0;
}

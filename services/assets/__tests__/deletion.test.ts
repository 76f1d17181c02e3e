// Deleting a file, as far as its transaction goes: no jobs run here.
import { assets } from "~encore/clients";
import { expect, test } from "vitest";
import { newId } from "../../../db/ids";
import { systemQuery } from "../../../db/tenant";
import { createCaller } from "../../../testing";

test("a file of more versions than a job's payload takes goes by several, which name each of its contents once", async () => {
  const by = createCaller();
  const { tenantId } = by;
  const [id, count] = [newId(), 4_800];
  await systemQuery("test", "insert into assets.usage values ($1, $2::int, $2::int)", [tenantId, count]);
  await systemQuery(
    "test",
    "insert into assets.asset (id, tenant_id, name, version, status) values ($1, $2, 'a.bin', $3, 'stored')",
    [id, tenantId, count],
  );
  await systemQuery(
    "test",
    `insert into assets.content (id, tenant_id, sha256, bytes, parts)
     select gen_random_uuid(), $1, sha256(convert_to(n::text, 'UTF8')), 1, 1 from generate_series(1, $2::int) n`,
    [tenantId, count],
  );
  await systemQuery(
    "test",
    `insert into assets.version (tenant_id, asset_id, version, content_id, media_type, created_by)
     select $1, $2, row_number() over (), id, 'application/octet-stream', 'test' from assets.content where tenant_id = $1`,
    [tenantId, id],
  );
  await assets.removeAsset({ id }, by);
  const jobs = await systemQuery<{ payload: { source?: string; stored: { id: string }[] } }>(
    "test",
    "select payload from events.outbox where tenant_id = $1 and type = 'assets:remove'",
    [tenantId],
  );
  const stored = jobs.map(({ payload }) => payload.stored);
  expect(stored.map(({ length }) => length).sort((a, b) => a - b)).toEqual([800, 1_000, 1_000, 1_000, 1_000]);
  expect(new Set(stored.flat().map((content) => content.id)).size).toBe(count);
  expect(jobs.filter(({ payload }) => payload.source !== undefined)).toHaveLength(1);
  const usage = "select files, bytes::int as bytes from assets.usage where tenant_id = $1";
  expect(await systemQuery("test", usage, [tenantId])).toEqual([{ files: 0, bytes: 0 }]);
});

// Files of organisations, from the upload to the document that search finds; by the rules and the typed endpoints. What travels
// over HTTP is in over-http.pg.test.ts.
import { createHash, randomBytes } from "node:crypto";
import { assets, vectors } from "~encore/clients";
import { describe, expect, test } from "vitest";
import { newId } from "../../../db/ids";
import { systemQuery, withSystem } from "../../../db/tenant";
import { organisationDeleted } from "../../../events/catalog/auth";
import { emit } from "../../../events/outbox";
import { reasonOf } from "../../../security/errors";
import { createCaller, runRelayAndWorkers, type Caller } from "../../../testing";
import { PART_BYTES, putPart, readBytes } from "../bucket";
import { documentSource, putDocument } from "../document";
import { extractAsset } from "../extraction";
import { uploadInsert } from "../store/uploads";
import { uploadPlaces } from "../places";
import { purgeTenant } from "../tenant-purge";
import { purgeAbandoned } from "../upkeep";
import { uploadAsset, type UploadedAsset } from "../upload";
import { inPieces, pdf, png } from "./files";
import { extractJob } from "../jobs";
import { READER_LIMITS } from "../reader-process";
import "../subscriptions";

runRelayAndWorkers();

test("the job that reads a file has more time than its bytes and its reader, and a minute for the document", () => {
  expect(extractJob.timeoutMs).toBeGreaterThan(READER_LIMITS.feedMs + READER_LIMITS.limitMs + 60_000);
});

const send = (by: Caller, name: string, bytes: Buffer): Promise<UploadedAsset> =>
  uploadAsset(by.principal, { name, source: inPieces(bytes, 1_000_000) });
const text = (words: string): Buffer => Buffer.from(words);
const reason = (promise: Promise<unknown>): Promise<string | undefined> => promise.then(() => undefined, reasonOf);

const settled = async (by: Caller, id: string): ReturnType<typeof assets.getAsset> => {
  let asset = await assets.getAsset({ id }, by);
  await expect.poll(async () => (asset = await assets.getAsset({ id }, by)).status).not.toBe("pending");
  return asset;
};

async function bytesOf(by: Caller, contentId: string, bytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of readBytes({ tenantId: by.tenantId, id: contentId }, 0, bytes - 1)) parts.push(part);
  return Buffer.concat(parts);
}

interface ContentRow {
  id: string;
  bytes: number;
  parts: number;
}
const contents = (by: Caller): Promise<ContentRow[]> =>
  systemQuery(
    "test",
    "select id, bytes::int as bytes, parts from assets.content where tenant_id = $1 order by created_at",
    [by.tenantId],
  );
const usage = async (by: Caller): Promise<unknown> =>
  (
    await systemQuery("test", "select files, bytes::int as bytes from assets.usage where tenant_id = $1", [by.tenantId])
  )[0];
const uploads = (by: Caller): Promise<unknown[]> =>
  systemQuery("test", "select id from assets.upload where tenant_id = $1", [by.tenantId]);

describe("a file that is uploaded", () => {
  test("is kept in parts, whole, and told by its bytes; an event says so in the same transaction", async () => {
    const by = createCaller();
    const bytes = Buffer.concat([png, randomBytes(PART_BYTES)]);
    const { id, ...uploaded } = await send(by, "tea.png", bytes);
    const sha256 = createHash("sha256").update(bytes).digest("hex");
    const facts = { version: 1, mediaType: "image/png", bytes: bytes.length, sha256 };
    expect(uploaded).toEqual({ ...facts, status: "stored" });
    const shown = await assets.getAsset({ id }, createCaller("viewer", by));
    expect(shown).toMatchObject({ id, name: "tea.png", ...facts, status: "stored", versions: [facts] });
    const [content] = await contents(by);
    expect(content).toMatchObject({ bytes: bytes.length, parts: 2 });
    expect((await bytesOf(by, content!.id, bytes.length)).equals(bytes)).toBe(true);
    const said = await systemQuery<{ payload: unknown }>(
      "test",
      "select payload from events.outbox where tenant_id = $1 and type = 'assets.asset.uploaded'",
      [by.tenantId],
    );
    const { version: assetVersion, ...rest } = facts;
    expect(said).toEqual([{ payload: { assetId: id, assetVersion, name: "tea.png", ...rest } }]);
    expect(await uploads(by)).toEqual([]);
  });

  test("is kept once under as many names as there are; under its own name it is nothing new, other bytes are a version", async () => {
    const by = createCaller();
    const first = await send(by, "a.bin", Buffer.from([0, 1]));
    expect(await send(by, "a.bin", Buffer.from([0, 1]))).toEqual(first);
    const second = await send(by, "b.bin", Buffer.from([0, 1]));
    expect(second).toMatchObject({ version: 1, sha256: first.sha256 });
    expect(second.id).not.toBe(first.id);
    expect(await contents(by)).toHaveLength(1);
    expect(await usage(by)).toEqual({ files: 2, bytes: 2 });
    expect(await send(by, "a.bin", Buffer.from([0, 1, 2]))).toMatchObject({ id: first.id, version: 2, bytes: 3 });
    const { versions } = await assets.getAsset({ id: first.id }, by);
    expect(versions.map(({ version, bytes }) => [version, bytes])).toEqual([
      [2, 3],
      [1, 2],
    ]);
    expect(await usage(by)).toEqual({ files: 3, bytes: 5 });
    await assets.removeAsset({ id: first.id }, by);
    expect(await usage(by)).toEqual({ files: 1, bytes: 2 });
    const [kept, ...others] = await contents(by);
    expect(others).toEqual([]);
    expect([...(await bytesOf(by, kept!.id, 2))]).toEqual([0, 1]);
  });

  test("leaves nothing when it breaks off, is empty, too large or one too many", async () => {
    const by = createCaller();
    const broken = async function* (): AsyncGenerator<Buffer> {
      yield Buffer.alloc(PART_BYTES + 1, 1);
      await Promise.resolve();
      throw new Error("the client left");
    };
    await expect(uploadAsset(by.principal, { name: "a", source: broken() })).rejects.toThrow("the client left");
    expect(await reason(send(by, "a", Buffer.alloc(0)))).toBe("file_empty");
    const announced = { name: "a", source: inPieces(png), bytes: 26_214_401 };
    expect(await reason(uploadAsset(by.principal, announced))).toBe("file_too_large");
    expect(await reason(send(by, "a", Buffer.alloc(26_214_401)))).toBe("file_too_large");
    const places = Array.from({ length: 8 }, () => uploadPlaces.take(by.tenantId));
    expect(await reason(send(by, "a", png))).toBe("uploads_waiting");
    places.forEach((place) => place.leave());
    const room = png.length + 1;
    await systemQuery("test", "insert into assets.usage values ($1, 9999, 1073741824 - $2)", [by.tenantId, room]);
    expect(await send(by, "a", png)).toMatchObject({ version: 1 });
    expect(await reason(send(by, "b", png))).toBe("storage_full");
    await systemQuery("test", "update assets.usage set files = 1 where tenant_id = $1", [by.tenantId]);
    expect(await send(by, "b", png)).toMatchObject({ version: 1 });
    expect(await reason(send(by, "c", text("other bytes")))).toBe("storage_full");
    await systemQuery("test", "update assets.usage set bytes = 1073741824 where tenant_id = $1", [by.tenantId]);
    let asked = 0;
    const unread = async function* (): AsyncGenerator<Buffer> {
      asked++;
      yield await Promise.resolve(text("tea"));
    };
    expect(await reason(uploadAsset(by.principal, { name: "d", source: unread() }))).toBe("storage_full");
    expect(asked).toBe(0);
    // Room for a part and no more: the second is refused before the bucket has it, the rest is not asked for.
    await systemQuery("test", "update assets.usage set bytes = 1073741824 - $2 where tenant_id = $1", [
      by.tenantId,
      PART_BYTES + 1,
    ]);
    const parts = async function* (): AsyncGenerator<Buffer> {
      for (; asked < 5; asked++) yield await Promise.resolve(Buffer.alloc(PART_BYTES, 1));
    };
    expect(await reason(uploadAsset(by.principal, { name: "e", source: parts() }))).toBe("storage_full");
    expect(asked).toBe(1);
    expect(await uploads(by)).toEqual([]);
    expect(await contents(by)).toHaveLength(1);
  });

  test("is listed the newest first, by pages, name and state", async () => {
    const by = createCaller();
    for (const name of ["a.png", "b.png", "c.pdf"]) await send(by, name, png);
    const page = await assets.listAssets({ limit: 2 }, by);
    expect(page.assets.map(({ name }) => name)).toEqual(["c.pdf", "b.png"]);
    const rest = await assets.listAssets({ limit: 2, cursor: page.next! }, by);
    expect(rest.assets.map(({ name }) => name)).toEqual(["a.png"]);
    expect(rest.next).toBe(undefined);
    const failed = await assets.listAssets({ status: "failed" }, by);
    expect(failed.assets.map(({ name, error }) => [name, error?.split(":")[0]])).toEqual([["c.pdf", "wrong_type"]]);
    expect((await assets.listAssets({ name: "b.png" }, by)).assets).toHaveLength(1);
  });
});

describe("the text of a file", () => {
  test("becomes a document whose results name the page, is replaced with the next version, and goes with the file", async () => {
    const by = createCaller();
    const { id } = await send(by, "tea.pdf", pdf(["The kettle whistles.", "Oolong is partly oxidised."]));
    const { status, documentId = "" } = await settled(by, id);
    expect(status).toBe("ready");
    const document = await vectors.getDocument({ id: documentId }, by);
    expect(document).toMatchObject({
      source: `assets/${id}/tea.pdf`,
      title: "tea.pdf",
      metadata: { assetId: id, assetVersion: 1, fileName: "tea.pdf", mediaType: "application/pdf" },
    });
    const textOf = async (): Promise<string | undefined> => (await vectors.getDocument({ id: documentId }, by)).text;
    expect(await textOf()).toBe("## Page 1\n\nThe kettle whistles.\n\n## Page 2\n\nOolong is partly oxidised.\n\n");
    const again = await send(by, "tea.pdf", pdf(["Rooibos is no tea."]));
    expect(again).toMatchObject({ id, version: 2, status: "pending", documentId });
    expect(await settled(by, id)).toMatchObject({ status: "ready", documentId });
    expect(await textOf()).toBe("## Page 1\n\nRooibos is no tea.\n\n");
    await assets.removeAsset({ id }, by);
    await expect.poll(() => reason(vectors.getDocument({ id: documentId }, by))).toBe("document_not_found");
    await expect.poll(async () => (await vectors.listDocuments({}, by)).documents).toEqual([]);
  });

  test("whose file has gone goes again, whichever attempt made its document", async () => {
    const by = createCaller();
    const acting = { tenantId: by.tenantId, actor: "test" };
    const [gone, other] = [newId(), newId()];
    for (const id of [gone, other])
      await putDocument(acting, { source: documentSource(id, "tea.md"), title: "Tea", text: "Tea", metadata: {} });
    const { signal } = new AbortController();
    expect(await extractAsset(acting, { assetId: gone, assetVersion: 1 }, signal)).toBe("gone");
    const { documents } = await vectors.listDocuments({}, by);
    expect(documents.map(({ source }) => source)).toEqual([documentSource(other, "tea.md")]);
  });

  test("that took too long is read anew when the same bytes are sent again", async () => {
    const by = createCaller();
    const { id } = await send(by, "tea.md", text("# Tea"));
    expect(await settled(by, id)).toMatchObject({ status: "ready" });
    await systemQuery("test", "update assets.asset set status = 'failed', reason = $2 where id = $1", [
      id,
      "too_complex",
    ]);
    expect(await send(by, "tea.md", text("# Tea"))).toMatchObject({ id, version: 2 });
    expect(await settled(by, id)).toMatchObject({ status: "ready", version: 2 });
  });

  test("that does not come out is a reason, and the file stays", async () => {
    const by = createCaller();
    const whole = pdf(["Tea"]);
    const { id } = await send(by, "cut.pdf", whole.subarray(0, whole.length / 2));
    expect(await settled(by, id)).toMatchObject({ status: "failed", error: expect.stringMatching(/^damaged: /) });
  });
});

describe("nobody", () => {
  test("sees or removes what another organisation has, nor writes without the right to", async () => {
    const by = createCaller();
    const { id } = await send(by, "a.png", png);
    const other = createCaller("owner");
    for (const act of [assets.getAsset, assets.removeAsset]) {
      expect(await reason(act({ id }, other))).toBe("asset_not_found");
      expect(await reason(act({ id: "no-id" }, other))).toBe("asset_not_found");
    }
    expect((await assets.listAssets({}, other)).assets).toEqual([]);
    await send(other, "a.png", png);
    expect([await contents(by), await contents(other)].map(({ length }) => length)).toEqual([1, 1]);
    expect(await reason(assets.removeAsset({ id }, createCaller("viewer", by)))).toBe("permission_denied");
  });
});

describe("what was uploaded", () => {
  test("and never committed goes after a day", async () => {
    const by = createCaller();
    const id = "01890000-0000-7000-8000-000000000001";
    const stored = { tenantId: by.tenantId, id };
    await uploadInsert(by, id);
    await putPart(stored, 0, png);
    await purgeAbandoned(new Date());
    expect(await uploads(by)).toHaveLength(1);
    await purgeAbandoned(new Date(Date.now() + 86_400_001));
    expect(await uploads(by)).toEqual([]);
    await expect
      .poll(() =>
        bytesOf(by, id, 1).then(
          () => "there",
          (error: Error) => error.name,
        ),
      )
      .toBe("ObjectNotFound");
  });

  test("by an organisation that is gone goes with its bytes, and doing it again removes nothing more", async () => {
    const by = createCaller();
    const other = createCaller();
    for (const caller of [by, other]) await send(caller, "a.png", png);
    await send(by, "b.bin", Buffer.from([0]));
    const gone = await contents(by);
    expect(await purgeTenant(by.tenantId)).toBe(true);
    expect(await purgeTenant(by.tenantId)).toBe(true);
    expect([await contents(by), await usage(by), (await assets.listAssets({}, by)).assets]).toEqual([
      [],
      undefined,
      [],
    ]);
    for (const { id } of gone) await expect(bytesOf(by, id, 1)).rejects.toMatchObject({ name: "ObjectNotFound" });
    expect((await contents(other)).length).toBe(1);
  });

  test("by an organisation that is gone goes at once, and an hour later what was under way then", async () => {
    const by = createCaller();
    await send(by, "a.png", png);
    const payload = { organisationId: by.tenantId };
    const about = { aggregateType: "organisation", aggregateId: by.tenantId, tenantId: null };
    await withSystem("test", (tx) => emit(tx, organisationDeleted, payload, about));
    await expect.poll(() => contents(by)).toEqual([]);
    const purges = await systemQuery<{ minutes: number }>(
      "test",
      `select round(extract(epoch from next_attempt_at - created_at) / 60)::int as minutes from events.outbox
       where type = 'assets:purge-tenant' and payload = $1 and next_attempt_at > now() + interval '30 minutes'`,
      [payload],
    );
    expect(purges).toEqual([{ minutes: 60 }]);
  });
});

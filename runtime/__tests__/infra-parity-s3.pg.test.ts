// The recorded answers of the official runtime for buckets, held against this host with its buckets on an S3 server.
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { AppProcess } from "../http/__tests__/support/app-process";
import { INSTALL_LIMIT_MS, makeBuckets, startMoto, type S3TestServer } from "../objects/__tests__/support/s3-server";
import { cases } from "./infra-cases";
import { s3Exceptions, withoutVersions } from "./infra-exceptions";
import { expectSame, groupOf, send, startKitApp } from "./infra-kit-app";

let server: S3TestServer;
let app: AppProcess;

beforeAll(async () => {
  server = await startMoto();
  app = await startKitApp({ objectStorage: await makeBuckets(server) });
}, INSTALL_LIMIT_MS);
afterAll(async () => {
  await app.stop();
  await server.stop();
});

const own = cases.filter((one) => groupOf(one) === "bucket");

describe("buckets on S3", () => {
  it.each(own.map((one) => [one.id, one] as const))("%s", async (_, one) =>
    expectSame(await send(app, one), s3Exceptions, one.id === "bucket.versioned" ? undefined : withoutVersions),
  );

  it("have only exceptions that are cases", () => {
    expect(Object.keys(s3Exceptions).filter((id) => !own.some((one) => one.id === id))).toEqual([]);
  });
});

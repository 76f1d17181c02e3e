import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { AppModel } from "../../model";
import { checkObjectStorage, readInfraConfig } from "..";
import { removeFolders, temporaryFolder } from "./support";

afterAll(removeFolders);

/** What the file's `object_storage` comes to. */
function read(objectStorage: unknown, env: Record<string, string> = {}) {
  const file = join(temporaryFolder(), "infra.config.json");
  writeFileSync(file, JSON.stringify({ object_storage: objectStorage }));
  return readInfraConfig(file, env).objectStorage;
}

test("Encore's documented configuration of S3 is read as it stands", () => {
  const amazon = {
    type: "s3",
    region: "us-east-1",
    buckets: {
      pictures: {
        name: "my-s3-bucket",
        key_prefix: "my-optional-prefix/",
        public_base_url: "https://cdn.example.com/my-optional-prefix",
      },
    },
  };
  const other = {
    type: "s3",
    region: "auto",
    endpoint: "https://r2.example.com",
    access_key_id: "key-id",
    secret_access_key: { $env: "BUCKET_SECRET_ACCESS_KEY" },
    buckets: { files: { name: "f" } },
  };
  expect(read([amazon, other], { BUCKET_SECRET_ACCESS_KEY: "s3cret" })).toEqual({
    pictures: {
      server: { region: "us-east-1" },
      bucket: "my-s3-bucket",
      keyPrefix: "my-optional-prefix/",
      publicBaseUrl: "https://cdn.example.com/my-optional-prefix",
    },
    files: {
      server: { region: "auto", endpoint: "https://r2.example.com", accessKeyId: "key-id", secretAccessKey: "s3cret" },
      bucket: "f",
      keyPrefix: "",
    },
  });
});

test("nothing said of any bucket leaves them on disk", () => {
  expect(read(undefined)).toBeUndefined();
  expect(read([])).toBeUndefined();
  expect(read([{ type: "s3", region: "auto", buckets: {} }, { type: "gcs" }])).toBeUndefined();
});

test("what is wrong is told with its place, before anything starts", () => {
  const bucket = { b: { name: "b" } };
  expect(() => read([{ type: "gcs", buckets: { pictures: { name: "b" } } }])).toThrow(
    /object_storage of type gcs is not supported yet \(pictures\)[\s\S]*type s3/,
  );
  expect(() => read([{ type: "azure", buckets: bucket }])).toThrow(/object_storage\.0\.type: type must be "s3"/);
  expect(() => read([{ type: "s3", buckets: bucket }])).toThrow(/object_storage\.0\.region/);
  expect(() => read([{ type: "s3", region: 5, buckets: bucket }])).toThrow(/object_storage\.0\.region/);
  expect(() => read([{ type: "s3", region: "r", endpoint: "minio:9000", buckets: bucket }])).toThrow(
    /object_storage\.0\.endpoint: must be an http or https address/,
  );
  expect(() => read([{ type: "s3", region: "r", buckets: { b: {} } }])).toThrow(/object_storage\.0\.buckets\.b\.name/);
  expect(() => read([{ type: "s3", region: "r", access_key_id: "a", buckets: bucket }])).toThrow(
    /access_key_id and secret_access_key go together/,
  );
  expect(() =>
    read([{ type: "s3", region: "r", access_key_id: "a", secret_access_key: { $env: "GONE" }, buckets: bucket }]),
  ).toThrow(/GONE is not set/);
  expect(() => read({ type: "s3" })).toThrow(/object_storage/);
});

test("a bucket of the app that is missing, or public without an address, is named", () => {
  const storage = read([{ type: "s3", region: "r", buckets: { files: { name: "f" }, site: { name: "s" } } }]);
  const bucket = (name: string, isPublic = false) => ({ name, versioned: false, public: isPublic });
  const service = (name: string, ...buckets: string[]) => ({
    name,
    buckets: buckets.map((one) => ({ name: one, operations: [] })),
  });
  const model = (...buckets: object[]) =>
    ({ buckets, services: [service("a", "files"), service("b", "pictures", "site")] }) as unknown as AppModel;
  checkObjectStorage(storage!, model(bucket("files")));
  expect(() => checkObjectStorage(storage!, model(bucket("files"), bucket("pictures"), bucket("videos")))).toThrow(
    /object_storage of the infra config lacks pictures, videos/,
  );
  expect(() => checkObjectStorage(storage!, model(bucket("files"), bucket("site", true)))).toThrow(
    /public bucket site needs a public_base_url/,
  );
  checkObjectStorage(storage!, model(bucket("files"), bucket("pictures"), bucket("site", true)), ["a"]);
  expect(() => checkObjectStorage(storage!, model(bucket("files"), bucket("pictures")), ["b"])).toThrow(
    /lacks pictures/,
  );
});

// What follows from the sources and is committed is as `npm run gen` writes it. docs/openapi.json and docs/errors.md have
// tests of their own, as have the contracts of events; security/endpoint-tags.json and the map are held by `npm run arch`.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { renderPermissions, type EndpointsModel } from "../scripts/gen/permissions-page";
import { readPolicy } from "../security/endpoint-policy";

const root = join(import.meta.dirname, "..");
const read = (path: string): string => readFileSync(join(root, path), "utf8");
const byHand = "differs from the sources: run `npm run gen` and commit what it writes";

test.skipIf(inject("groundworkTestApp") === undefined)(
  "docs/permissions.md is as the sources are (else: npm run gen)",
  () => {
    const model = JSON.parse(read(".encore/groundwork/model.json")) as EndpointsModel;
    expect(read("docs/permissions.md"), `docs/permissions.md ${byHand}`).toBe(renderPermissions(model));
  },
);

test("the guard understands every tag that the list allows, so that none of them closes an endpoint", () => {
  const tags = JSON.parse(read("security/endpoint-tags.json")) as string[];
  const closed = tags
    .map((tag) => tag.replace("*", tag === "cost:*" ? "7" : "a reason"))
    .filter((tag) => {
      const tagsOf = /^(can:|self$|caller$|public:)/.test(tag)
        ? [tag]
        : [tag.startsWith("owns:") ? "can:document.read" : tag === "cacheable" ? "public:a reason" : "self", tag];
      return readPolicy("service", "endpoint", tagsOf).access.kind === "closed";
    });
  expect(closed).toEqual([]);
});

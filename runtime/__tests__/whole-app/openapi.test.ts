// The committed API description is the one the sources give, so that what people read at /docs is what answers.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, describe, expect, inject, test } from "vitest";
import type { AppModel } from "../../model";

const root = join(import.meta.dirname, "..", "..", "..");
const folder = mkdtempSync(join(tmpdir(), "gw-openapi-"));

interface Description {
  openapi: string;
  paths: Record<
    string,
    Record<
      string,
      {
        operationId: string;
        parameters?: { in: string; name: string }[];
        summary?: string;
        description?: string;
        security?: unknown[];
        responses?: Record<string, unknown>;
      }
    >
  >;
}

afterAll(() => rmSync(folder, { recursive: true, force: true }));

const committed = (): Description =>
  JSON.parse(readFileSync(join(root, "docs", "openapi.json"), "utf8")) as Description;

describe("docs/openapi.json", () => {
  test("is what the sources give (else: npm run gen)", async () => {
    const output = join(folder, "openapi.json");
    await promisify(execFile)(
      process.execPath,
      [join(root, "dist", "cli.js"), "gen", "client", "--lang", "openapi", "--output", output],
      { cwd: root },
    );
    expect(JSON.parse(readFileSync(output, "utf8")), "run `npm run gen` and commit what it writes").toEqual(
      committed(),
    );
  });

  test("has every exposed endpoint once under each of its methods, and no other", () => {
    const model = JSON.parse(readFileSync(inject("groundworkTestApp").modelFile, "utf8")) as AppModel;
    const exposed = model.services.flatMap(({ endpoints }) => endpoints.filter(({ expose }) => expose));
    const shape = (path: string): string => path.replace(/\{[^{}]*\}/g, "{}");
    const expected = exposed.flatMap(({ methods, path }) =>
      methods.map(
        (method) =>
          `${method} /${path.map((segment) => (segment.kind === "literal" ? segment.value : "{}")).join("/")}`,
      ),
    );
    const described = Object.entries(committed().paths).flatMap(([path, item]) =>
      Object.keys(item).map((method) => `${method.toUpperCase()} ${shape(path)}`),
    );
    expect(described.sort()).toEqual(expected.sort());
  });

  test("names the headers that the guard reads: Idempotency-Key and X-Organisation-Id, where it reads them", () => {
    const model = JSON.parse(readFileSync(inject("groundworkTestApp").modelFile, "utf8")) as AppModel;
    const exposed = model.services.flatMap(({ endpoints }) => endpoints.filter(({ expose }) => expose));
    const operations = Object.values(committed().paths).flatMap((item) => Object.values(item));
    // One of several methods ends with its method.
    const endpointOf = (operationId: string): string => operationId.split(".").slice(0, 2).join(".");
    const withHeader = (name: string): string[] =>
      operations
        .filter(({ parameters }) =>
          parameters?.some((parameter) => parameter.in === "header" && parameter.name === name),
        )
        .map(({ operationId }) => endpointOf(operationId))
        .sort();
    const named = (endpoints: typeof exposed): string[] =>
      endpoints.map(({ service, name }) => `${service}.${name}`).sort();
    const idempotent = named(exposed.filter(({ tags }) => tags.includes("idempotent")));
    expect(idempotent.length).toBeGreaterThan(5);
    expect(withHeader("Idempotency-Key")).toEqual(idempotent);
    const signedIn = exposed.filter(({ auth, tags }) => auth || tags.some((tag) => tag.startsWith("refuses:")));
    expect([...new Set(withHeader("X-Organisation-Id"))]).toEqual(named(signedIn));
    // What any caller signs in to says so; the gateway or the guard asks for it.
    const secured = operations.filter(({ security }) => security !== undefined);
    const byName = new Set(secured.map(({ operationId }) => endpointOf(operationId)));
    expect([...byName].sort()).toEqual(named(signedIn));
  });

  test("says of every endpoint what it does and how it may fail", () => {
    const operations = Object.entries(committed().paths).flatMap(([path, item]) =>
      Object.entries(item).map(([method, operation]) => ({ name: `${method} ${path}`, ...operation })),
    );
    expect(operations.filter(({ summary, description }) => !summary && !description).map(({ name }) => name)).toEqual(
      [],
    );
    expect(
      operations.filter(({ responses }) => !responses || Object.keys(responses).length < 2).map(({ name }) => name),
    ).toEqual([]);
  });
});

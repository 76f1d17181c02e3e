// A second opinion on what the gate lets through, by another implementation (jsoncompat, a containment check in WebAssembly).
// On what the gate refuses they differ in five of the cases: jsoncompat lets defaults change, and takes it that
// nobody writes what an open object or a map would take.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { check_compat as areCompatible, initSync } from "jsoncompat";
import { beforeAll, describe, expect, it } from "vitest";
import { breakingChanges } from "../contract-gate/compatibility";
import { schemaChanges } from "./schema-changes";

beforeAll(() => {
  const wasm = createRequire(import.meta.url)
    .resolve("jsoncompat")
    .replace(/jsoncompat_wasm\.js$/, "jsoncompat_wasm_bg.wasm");
  initSync({ module: readFileSync(wasm) });
});

describe("another checker lets through", () => {
  it.each(schemaChanges.filter(({ reasons }) => reasons.length === 0).map((change) => [change.what, change] as const))(
    "%s",
    (_what, { from, to, otherwise }) => {
      expect(breakingChanges(from, to)).toEqual([]);
      const bare = (schema: object): string => JSON.stringify({ ...schema, $id: undefined });
      expect(areCompatible(bare(from), bare(to), "both"), otherwise).toBe(otherwise === undefined);
    },
  );
});

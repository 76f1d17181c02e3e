import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { inspect } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { HostConfig } from "../../config";
import { Secret } from "../secret";
import { parseSecretsCue } from "../cue";
import { createSecrets, loadSecrets } from "../index";

let root: string;
let stateDir: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "secrets-"));
  stateDir = join(root, "state");
});
afterEach(() => rmSync(root, { recursive: true }));

describe("the value of a secret", () => {
  it("is the environment variable of its name before the secrets file", () => {
    writeFileSync(join(root, ".secrets.local.cue"), 'A: "file"\nB: "file"\n');
    expect(loadSecrets(root, stateDir, { A: "env" }, ["A", "B"])).toEqual({ A: "env", B: "file" });
  });

  it("is missing when the app has a secrets file that does not name it", () => {
    writeFileSync(join(root, ".secrets.local.cue"), 'A: "file"\n');
    expect(loadSecrets(root, stateDir, {}, ["A", "Unset"])).toEqual({ A: "file" });
  });

  it("is generated once in development, kept for the next start, readable by the owner only", () => {
    const first = loadSecrets(root, stateDir, {}, ["Key"]);
    const again = loadSecrets(root, stateDir, {}, ["Key", "Other"]);
    expect(first.Key).toHaveLength(43);
    expect(again.Key).toBe(first.Key);
    expect(again.Other).not.toBe(first.Key);
    expect(statSync(join(stateDir, "secrets.json")).mode & 0o777).toBe(0o600);
  });

  it("may be unset in development, and in production is an error that names it when it is asked for", () => {
    const secretsOf = (type: "development" | "production") =>
      createSecrets({
        config: {
          secrets: { Set: "value" },
          environment: { name: type, type, cloud: "local" },
        } as unknown as HostConfig,
      });
    expect(secretsOf("development").secret("Unset")).toBeNull();
    expect(secretsOf("production").secret("Set")?.cached()).toBe("value");
    expect(() => secretsOf("production").secret("Unset")?.cached()).toThrow("secret Unset is not set");
  });

  it("is never generated in production", () => {
    expect(loadSecrets(root, stateDir, { NODE_ENV: "production" }, ["Key"])).toEqual({});
  });

  it("does not show when its holder is printed", () => {
    const holder = new Secret(() => "hidden value");
    expect(inspect(holder) + JSON.stringify(holder) + String(holder)).not.toContain("hidden");
    expect(holder.cached()).toBe("hidden value");
  });
});

describe("the secrets file", () => {
  it("may use CUE's comments, quoted names, escapes, raw and multi-line strings", () => {
    const text = [
      "// a comment",
      'A: "x\\ny", B: "\\u00fc"',
      '"quoted-name": #"raw \\n"#',
      'M: """',
      "  one",
      "  two",
      '  """',
    ].join("\n");
    expect(parseSecretsCue(text)).toEqual({ A: "x\ny", B: "ü", "quoted-name": "raw \\n", M: "one\ntwo" });
  });

  it.each([
    ["A: 5", /line 1: a secret's value must be a string/],
    ['A: "x"\nB "y"', /line 2: ":" was expected after B/],
    ['A: "x', /not closed/],
    ['A: "\\q"', /unknown escape/],
  ])("is refused with the line when it reads %j", (text, problem) => {
    expect(() => parseSecretsCue(text)).toThrow(problem);
  });
});

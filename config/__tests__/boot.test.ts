import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { build } from "esbuild";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "groundwork-config-"));
  await build({
    stdin: {
      contents: 'import { cfg } from "./config"; console.log(JSON.stringify(cfg));',
      resolveDir: join(import.meta.dirname, "..", ".."),
      loader: "ts",
    },
    bundle: true,
    platform: "node",
    format: "esm",
    outfile: join(folder, "boot.mjs"),
  });
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function boot(env: Record<string, string>): Promise<{ failed: boolean; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [join(folder, "boot.mjs")],
      { cwd: folder, env: { PATH: process.env.PATH, ...env } },
      (error, stdout, stderr) => resolve({ failed: error !== null, stdout, stderr }),
    );
  });
}

describe("a process that imports the configuration", () => {
  test("does not boot with a broken environment, and says everything that is wrong", async () => {
    const { failed, stderr } = await boot({ DB_POOL_MAX: "none", LOG_LEVEL: "loud" });
    expect(failed).toBe(true);
    expect(stderr).toContain("ConfigError: the configuration has 2 problems");
    expect(stderr).not.toContain(" at parseConfig");
    expect(stderr).toContain("DB_POOL_MAX is not a whole number");
    expect(stderr).toContain("LOG_LEVEL is not an allowed value");
  });

  test("reads .env in development only, and the environment wins over it", async () => {
    await writeFile(join(folder, ".env"), "DB_POOL_MAX=33\nLOG_LEVEL=error\n");
    const development = JSON.parse((await boot({ LOG_LEVEL: "warn" })).stdout);
    expect(development).toMatchObject({ db: { poolMax: 33 }, log: { level: "warn" } });
    const production = JSON.parse((await boot({ NODE_ENV: "production" })).stdout);
    expect(production).toMatchObject({ db: { poolMax: 20 }, log: { level: "info" } });
  });
});

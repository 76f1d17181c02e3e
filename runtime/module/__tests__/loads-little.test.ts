// Every start and every test file loads the host: what only a broker or a Redis needs is loaded when one is opened.
import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { hostFile } from "../../host-files";

test("loading the host loads neither BullMQ nor ioredis", () => {
  const script = `require(${JSON.stringify(hostFile("native.cjs"))}); console.log(Object.keys(require.cache).join("\\n"))`;
  const loaded = execFileSync(process.execPath, ["-e", script], { encoding: "utf8" });
  expect(loaded).toContain("native.cjs");
  expect(loaded).not.toMatch(/node_modules\/(bullmq|ioredis)\//);
});

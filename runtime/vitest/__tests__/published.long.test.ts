// What an app's own test file can see of its topics: the official way (a spy on `publish`, handlers that run) and the
// host's (`publishedMessages`), in an app outside this repository that has the host as a package.
import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { hostFile, hostPackageRoot } from "../../host-files";

const files: Record<string, string> = {
  "encore.app": `{ "id": "", "lang": "typescript" }\n`,
  "package.json": `{ "name": "shop", "private": true, "type": "module" }\n`,
  "tsconfig.json": `{ "compilerOptions": { "target": "ES2022", "module": "ESNext", "moduleResolution": "bundler", "strict": true, "noEmit": true, "skipLibCheck": true, "types": [], "allowImportingTsExtensions": true, "paths": { "~encore/*": ["./encore.gen/*"] } }, "include": ["shop"] }\n`,
  "shop/api.ts": `import { api } from "encore.dev/api";
import { Subscription, Topic } from "encore.dev/pubsub";
import { SQLDatabase } from "encore.dev/storage/sqldb";
export const db = new SQLDatabase("shop");
export interface Order { n: number }
export const orders = new Topic<Order>("orders", { deliveryGuarantee: "at-least-once" });
export const billed: number[] = [];
export const billing = new Subscription(orders, "billing", { handler: async ({ n }) => { billed.push(n); } });
export const place = api({}, async ({ n }: Order): Promise<void> => { await orders.publish({ n }); });
`,
  "shop/spied.test.ts": `import { expect, test, vi } from "vitest";
import { billed, orders, place } from "./api";
test("a spy sees the message, which is handled all the same", async () => {
  const publish = vi.spyOn(orders, "publish");
  await place({ n: 1 });
  expect(publish).toHaveBeenCalledExactlyOnceWith({ n: 1 });
  await vi.waitFor(() => expect(billed).toEqual([1]), 45_000);
});
test("a spy can keep it back", async () => {
  vi.spyOn(orders, "publish").mockResolvedValue("kept back");
  await place({ n: 2 });
  expect(billed).toEqual([1]);
});
`,
  "shop/published.test.ts": `import { expect, test, vi } from "vitest";
import { clearPublished, publishedMessages } from "groundwork/vitest";
import { billed, orders, place } from "./api";
test("what was published, by the topic or its name", async () => {
  expect(publishedMessages(orders)).toEqual([]);
  await place({ n: 3 });
  await place({ n: 4 });
  const numbers: number[] = publishedMessages(orders).map(({ message }) => message.n);
  expect(numbers).toEqual([3, 4]);
  expect(publishedMessages("orders")[0]).toEqual({ id: expect.stringMatching(/^[0-9a-v]{20}$/), message: { n: 3 } });
  await vi.waitFor(() => expect([...billed].sort()).toEqual([3, 4]), 45_000);
});
test("is forgotten on demand", async () => {
  clearPublished();
  expect(publishedMessages(orders)).toEqual([]);
});
`,
};

let app = "";
beforeAll(() => {
  app = realpathSync(mkdtempSync(join(tmpdir(), "groundwork-published-")));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(app, path)), { recursive: true });
    writeFileSync(join(app, path), text);
  }
  mkdirSync(join(app, "node_modules"));
  for (const name of ["encore.dev", "typescript", "vitest"])
    symlinkSync(join(hostPackageRoot, "node_modules", name), join(app, "node_modules", name));
  symlinkSync(hostPackageRoot, join(app, "node_modules", "groundwork"));
});
afterAll(() => rmSync(app, { recursive: true }));

async function run(...command: string[]): Promise<{ code: number | null; output: string }> {
  const env = { PATH: process.env.PATH ?? "", HOME: process.env.HOME ?? "", NO_COLOR: "1" };
  const child = spawn(process.execPath, command, { cwd: app, env, stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (output += data.toString()));
  const code = await new Promise<number | null>((resolve) => child.once("exit", resolve));
  return { code, output };
}

test("an app's tests see what it publishes, the official way and ours", async () => {
  const { code, output } = await run(hostFile("cli.js"), "test");
  expect(output).toMatch(/Tests\s+4 passed/);
  expect(code, output).toBe(0);
});

test("and are typed: a topic's messages have its type", async () => {
  expect(await run(join(hostPackageRoot, "node_modules/typescript/bin/tsc"), "-p", ".")).toEqual({
    code: 0,
    output: "",
  });
});

// No primitive depends on the presence of another: an app that has exactly one of them is built, and the build started
// with nothing but a folder. The topic, which needs a store of the host's own, also under `run` and in the app's tests.
import { type ChildProcess, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { buildApp } from "../commands/build";
import { hostFile, hostPackageRoot } from "../host-files";
import { createTemplate, hostDatabase } from "../infra";
import { emptyModel } from "../infra/__tests__/support";
import { Scratch } from "../parse/__tests__/case-app";

interface Primitive {
  files: Record<string, string>;
  /** What `GET /probe` says in the end. */
  said: string;
}

const service = (imports: string, body: string, answer: string): Record<string, string> => ({
  "one/encore.service.ts": `import { Service } from "encore.dev/service";\nexport default new Service("one");\n`,
  "one/api.ts": `import { api } from "encore.dev/api";
${imports}
interface Said { said: string }
${body}
export const probe = api({ expose: true, method: "GET", path: "/probe" }, async (): Promise<Said> => ({ said: ${answer} }));
`,
});

const primitives: Record<string, Primitive> = {
  topic: {
    files: service(
      `import { Subscription, Topic } from "encore.dev/pubsub";`,
      `interface Event { name: string }
const seen: string[] = [];
export const made = new Topic<Event>("made", { deliveryGuarantee: "at-least-once" });
export const heard = new Subscription(made, "heard", { handler: async (event) => { seen.push(event.name); } });
interface Id { id: string }
export const make = api({ expose: true, method: "POST", path: "/make" }, async (): Promise<Id> => ({ id: await made.publish({ name: "ann" }) }));`,
      `seen.join()`,
    ),
    said: "ann",
  },
  cron: {
    files: service(
      `import { CronJob } from "encore.dev/cron";`,
      `export const tick = api({}, async (): Promise<void> => undefined);
export const often = new CronJob("often", { every: "1h", endpoint: tick });`,
      `"scheduled"`,
    ),
    said: "scheduled",
  },
  cache: {
    files: service(
      `import { CacheCluster, StringKeyspace } from "encore.dev/storage/cache";`,
      `const cluster = new CacheCluster("kept", { evictionPolicy: "allkeys-lru" });
const words = new StringKeyspace<string>(cluster, { keyPattern: "word/:key", defaultExpiry: undefined });
const keep = async (): Promise<string> => { await words.set("a", "kept"); return (await words.get("a")) ?? ""; };`,
      `await keep()`,
    ),
    said: "kept",
  },
  bucket: {
    files: service(
      `import { Bucket } from "encore.dev/storage/objects";`,
      `const files = new Bucket("files", {});
const keep = async (): Promise<string> => { await files.upload("a", Buffer.from("stored")); return (await files.download("a")).toString(); };`,
      `await keep()`,
    ),
    said: "stored",
  },
  secret: {
    files: service(`import { secret } from "encore.dev/config";`, `const word = secret("Word");`, `word()`),
    said: "hush",
  },
  metric: {
    files: service(
      `import { Counter } from "encore.dev/metrics";`,
      `const asked = new Counter("asked");`,
      `(asked.increment(), "counted")`,
    ),
    said: "counted",
  },
};

const base = mkdtempSync(join(tmpdir(), "groundwork-alone-"));
const children: ChildProcess[] = [];

// Made once and kept: making a database takes seconds.
let templateDir = "";
beforeAll(async () => {
  const template = await createTemplate(emptyModel(hostDatabase), hostPackageRoot, {});
  if (template.kind === "embedded") templateDir = template.dir;
});

afterAll(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(base, { recursive: true, force: true });
});

interface Run {
  output(): string;
  ended: Promise<number | null>;
  child: ChildProcess;
}

function start(args: string[], cwd: string): Run {
  const env = { PATH: process.env.PATH ?? "", HOST: "127.0.0.1", Word: "hush" };
  const child = spawn(process.execPath, args, { cwd, env, stdio: ["ignore", "pipe", "pipe"] });
  children.push(child);
  let text = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (text += data.toString()));
  return { child, output: () => text, ended: new Promise((resolve) => child.once("exit", resolve)) };
}

/** Asks what the app says until it says it, or has ended. */
async function says({ child, output, ended }: Run, wanted: string): Promise<string> {
  const deadline = Date.now() + 15_000;
  while (!/serving http:\S+/.test(output()) && child.exitCode === null)
    await Promise.race([ended, new Promise((resolve) => child.stdout?.once("data", resolve))]);
  const address = /serving (http:\S+)/.exec(output())?.[1];
  if (address === undefined) return output();
  await fetch(`${address}/make`, { method: "POST" });
  for (;;) {
    const { said } = (await (await fetch(`${address}/probe`)).json()) as { said: string };
    if (said === wanted || Date.now() > deadline) return said;
  }
}

async function stop({ child, ended }: Run): Promise<number | null> {
  child.kill("SIGTERM");
  return ended;
}

test.each(Object.entries(primitives))(
  "an app whose one primitive is a %s starts from its build",
  async (name, { files, said }) => {
    const scratch = new Scratch();
    const folder = await buildApp(scratch.fromFiles(files), join(base, name));
    scratch.dispose();
    symlinkSync(join(hostPackageRoot, "node_modules"), join(folder, "node_modules"));
    if (name === "topic") cpSync(templateDir, join(folder, ".groundwork/postgres"), { recursive: true });
    const run = start([join(folder, "host/start.js"), "--port", "0"], folder);
    expect(await says(run, said)).toBe(said);
    expect(await stop(run)).toBe(0);
    expect(existsSync(join(folder, ".groundwork/postgres"))).toBe(name === "topic");
  },
  40_000,
);

test("a topic alone is served by `run`, and in the app's own tests", async () => {
  const scratch = new Scratch();
  const { files, said } = primitives.topic!;
  const root = scratch.fromFiles({
    ...files,
    "one/one.test.ts": `import { expect, test, vi } from "vitest";
import { one } from "~encore/clients";
test("heard", async () => {
  await one.make();
  await vi.waitFor(async () => expect((await one.probe()).said).toBe("ann"), 90_000);
});
`,
  });
  try {
    // As the state of the start, and as the template of the tests.
    for (const to of ["postgres", basename(templateDir)])
      cpSync(templateDir, join(root, ".groundwork", to), { recursive: true });
    const run = start([hostFile("cli.js"), "run", "--port", "0"], root);
    expect(await says(run, said)).toBe(said);
    expect(await stop(run)).toBe(0);
    // Packages as they are, and the host under its own name beside them.
    rmSync(join(root, "node_modules"));
    mkdirSync(join(root, "node_modules"));
    for (const name of ["encore.dev", "vitest", "vite"])
      symlinkSync(join(hostPackageRoot, "node_modules", name), join(root, "node_modules", name));
    symlinkSync(hostPackageRoot, join(root, "node_modules/groundwork"));
    writeFileSync(
      join(root, "vitest.config.ts"),
      `import { groundwork } from "groundwork/vitest";\nexport default { plugins: [groundwork()] };\n`,
    );
    const tests = start([join(hostPackageRoot, "node_modules/vitest/vitest.mjs"), "run"], root);
    expect(await tests.ended, tests.output()).toBe(0);
    expect(tests.output()).toMatch(/1 passed/);
  } finally {
    scratch.dispose();
  }
});

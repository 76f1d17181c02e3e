// What a process of users' code may not do, tried without the engine in the way: a program in its place, behind the same walls, which
// tries it by Node itself (probe.child.mjs). It can do all of it without walls, and nothing behind them.
import { spawn } from "node:child_process";
import { createSocket, type Socket } from "node:dgram";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { createLogger } from "../../../telemetry/logger";
import { reasonOf } from "../../../security/errors";
import { SandboxProcess } from "../sandbox-process";
import { limitProcess, tellWalls, wallsHere, type Walls } from "../walls";

const PROBE = join(import.meta.dirname, "probe.child.mjs");
const dir = mkdtempSync(join(tmpdir(), "gw-sandbox-"));
const addon = join(
  process.cwd(),
  `node_modules/@node-rs/argon2-linux-${process.arch}-gnu/argon2.linux-${process.arch}-gnu.node`,
);
let server: Server;
let unixServer: Server;
let datagrams: Socket;
let heard = 0;

type Outcomes = Record<string, string>;
const walls = wallsHere();
const withoutKernel: Walls = { prlimit: undefined, withoutKernelLimits: "warn" };
const isLinux = process.platform === "linux";

/** What the probe is told there is. */
const targets = (without: string[] = []): string =>
  JSON.stringify({
    without,
    port: (server.address() as AddressInfo).port,
    udpPort: datagrams.address().port,
    unixPath: join(dir, "socket"),
    secretFile: join(dir, "secret.cjs"),
    newFile: join(dir, "new"),
    addon,
  });

beforeAll(async () => {
  const hear = (): void => void heard++;
  server = createServer((socket) => {
    hear();
    socket.on("error", () => undefined).end("HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
  });
  unixServer = createServer((socket) => (hear(), socket.destroy()));
  datagrams = createSocket("udp4").on("message", hear);
  await once(server.listen(0, "127.0.0.1"), "listening");
  await once(unixServer.listen(join(dir, "socket")), "listening");
  await once(datagrams.bind(0, "127.0.0.1"), "listening");
  writeFileSync(join(dir, "secret.cjs"), "module.exports = 1");
});
afterAll(() => {
  server.close();
  unixServer.close();
  datagrams.close();
  rmSync(dir, { recursive: true });
});
beforeEach(() => {
  heard = 0;
  for (const name of ["new", "new.link"]) rmSync(join(dir, name), { force: true });
});

async function behind(chosen: Walls): Promise<Outcomes> {
  const process = await SandboxProcess.start({ file: PROBE, walls: chosen });
  onTestFinished(() => process.end());
  const { output, error } = await process.run({ code: "", input: targets(), timeoutMs: 110_000, memoryMb: 16 });
  expect(error).toBeUndefined();
  return output as Outcomes;
}

/** The same program, started by Node as any other; `before` is done to it when it is ready. */
async function freely(before: (pid: number) => Promise<void>, without?: string[]): Promise<Outcomes> {
  const child = spawn(process.execPath, ["--no-warnings", PROBE], { env: { PLANTED_MARKER: "1" } });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines = createInterface({ input: child.stdout });
  await once(lines, "line");
  await before(child.pid ?? 0);
  child.stdin.write(`${JSON.stringify({ job: { input: targets(without) } })}\n`);
  const [said] = (await once(lines, "line")) as [string];
  const { ended } = JSON.parse(said) as { ended: { output: string } };
  return JSON.parse(ended.output) as Outcomes;
}

const done = (outcomes: Outcomes): string[] =>
  Object.keys(outcomes).filter((name) => ["done", "late"].includes(outcomes[name] ?? "late"));

const ofNetwork = ["connect", "connectUnix", "request", "fetch", "listen", "datagram"];

test("without walls the probe does all that it tries", { timeout: 120_000 }, async () => {
  // With the number of a closed standard input Node cannot do much, whether or not there are walls.
  const outcomes = await freely(async () => undefined, ["connectByStandardInput"]);
  if (!existsSync(addon)) delete outcomes.addon;
  expect(outcomes).toEqual(Object.fromEntries(Object.keys(outcomes).map((name) => [name, "done"])));
  expect(Object.keys(outcomes).length).toBeGreaterThan(25);
  await vi.waitFor(() => expect(heard).toBeGreaterThanOrEqual(5), { timeout: 30_000 });
});

test.runIf(walls.prlimit)("behind the walls it does nothing", { timeout: 120_000 }, async () => {
  const outcomes = await behind(walls);
  expect(done(outcomes)).toEqual([]);
  expect(Object.keys(outcomes)).toEqual(expect.arrayContaining([...ofNetwork, "connectByStandardInput"]));
  expect(outcomes.connect).toBe("EMFILE");
  expect(outcomes.connectByStandardInput).toBe("EMFILE");
  expect(heard).toBe(0);
  expect([existsSync(join(dir, "new")), existsSync(join(dir, "new.link"))]).toEqual([false, false]);
});

test.runIf(walls.prlimit)("the kernel's limits hold by themselves", { timeout: 120_000 }, async () => {
  const outcomes = await freely((pid) => limitProcess(pid, walls));
  // Not theirs to keep away: what is in the process already, and what needs no file to be opened.
  const notTheirs = ["environment", "eval", "maker", "exists", "link", "remove"];
  expect(done(outcomes).filter((name) => !notTheirs.includes(name))).toEqual([]);
  expect(heard).toBe(0);
});

test("Node's permission model holds files, programs and add-ons, and no network", { timeout: 120_000 }, async () => {
  const outcomes = await behind(withoutKernel);
  const notHeld = [...ofNetwork, "connectByStandardInput", "hostsFile", "worker"];
  expect(done(outcomes).filter((name) => !notHeld.includes(name))).toEqual([]);
  // Why there is another wall; from Node 25 on this one keeps the network away too.
  if (Number(process.versions.node.split(".")[0]) < 25) expect(outcomes.connect).toBe("done");
});

test.runIf(isLinux)("the process of users' code has those limits, and an empty environment", async () => {
  vi.stubEnv("PLANTED_MARKER", "planted");
  onTestFinished(() => void vi.unstubAllEnvs());
  const child = await SandboxProcess.start();
  onTestFinished(() => child.end());
  expect(readFileSync(`/proc/${child.pid}/environ`, "utf8")).toBe("");
  const limits = readFileSync(`/proc/${child.pid}/limits`, "utf8");
  const expected = walls.prlimit === undefined ? /./ : /Max open files\s+0\s+0\s/;
  expect(limits).toMatch(expected);
  expect((await child.run({ code: "return 1", timeoutMs: 5_000, memoryMb: 16 })).output).toBe(1);
});

test("where the kernel's limits cannot be set nothing runs, if that is asked for", async () => {
  const started = SandboxProcess.start({ walls: { prlimit: undefined, withoutKernelLimits: "refuse" } });
  expect(reasonOf(await started.catch((error: unknown) => error))).toBe("sandbox_walls_missing");
});

test("a process whose limits could not be set runs nothing", async () => {
  const started = SandboxProcess.start({ walls: { prlimit: "/bin/false", withoutKernelLimits: "warn" } });
  await expect(started).rejects.toThrow("the limits of a process could not be set");
});

test.each([
  ["warn", "warn", "permission model alone"],
  ["refuse", "error", "SANDBOX_WITHOUT_KERNEL_LIMITS"],
] as const)("the start says that a wall is missing: %s", (withoutKernelLimits, level, words) => {
  const lines: { level: string; message: string }[] = [];
  const log = createLogger({ write: (line) => void lines.push(JSON.parse(line) as (typeof lines)[number]) }, "info");
  tellWalls({ prlimit: undefined, withoutKernelLimits }, log);
  tellWalls({ prlimit: "/usr/bin/prlimit", withoutKernelLimits }, log);
  expect(lines).toHaveLength(1);
  expect(lines[0]).toMatchObject({ level, message: expect.stringContaining(words) as string });
});

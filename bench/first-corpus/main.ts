// How much memory all processes take while the first corpus is ingested: `npm run bench:first-corpus [SECONDS]`, 600 at
// most unless told. Starts the app as `npm start` does, on a state folder and a port of its own, adds up the proportional
// set size (a page that n processes share counts 1/n for each) of the process tree, and ends when the corpus is
// searchable or the time is over. Linux only: reads /proc/PID/smaps_rollup.
import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../runtime/http/__tests__/support/repository-root";

const LIMIT_MB = 700;
const SAMPLE_MS = 100;
const seconds = Number(process.argv[2] ?? 600);

interface Sample {
  command: string;
  mb: number;
}

/** Processes below this one, itself included; one that ends meanwhile is left out. */
function treeOf(rootPid: number): Sample[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync("/proc")) {
    const ppid = /^PPid:\s+(\d+)/m.exec(/^\d+$/.test(name) ? read(name, "status") : "")?.[1];
    if (ppid !== undefined) parents.set(Number(name), Number(ppid));
  }
  const isBelow = (pid: number | undefined): boolean =>
    pid !== undefined && (pid === rootPid || isBelow(parents.get(pid)));
  return [...parents.keys()].filter(isBelow).map((pid) => ({
    command: read(String(pid), "cmdline").split("\0").slice(1, 3).join(" ").replaceAll(root, "."),
    mb: Number(/^Pss:\s+(\d+)/m.exec(read(String(pid), "smaps_rollup"))?.[1] ?? 0) / 1024,
  }));
}

function read(pid: string, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

const stateDir = mkdtempSync(join(tmpdir(), "groundwork-corpus-"));
const child = spawn(
  process.execPath,
  [join(root, "dist/cli.js"), "run", "--port", "0", "--after-start", join(root, "dist/demo.js")],
  { cwd: root, env: { ...process.env, GROUNDWORK_STATE_DIR: stateDir }, stdio: ["ignore", "pipe", "pipe"] },
);
let output = "";
for (const stream of [child.stdout, child.stderr])
  stream.on("data", (chunk: Buffer) => (output = (output + chunk.toString()).slice(-20_000)));

const sumOf = (tree: readonly Sample[]): number => tree.reduce((sum, { mb }) => sum + mb, 0);
/** Creating the database (initdb in WebAssembly) is over before the first document comes; it is told apart. */
const peaks: Record<"start" | "ingestion", Sample[]> = { start: [], ingestion: [] };
let isDone = false;
const endsAtMs = performance.now() + seconds * 1_000;
while (!isDone && child.exitCode === null && performance.now() < endsAtMs) {
  await new Promise((resolve) => setTimeout(resolve, SAMPLE_MS));
  const tree = treeOf(child.pid ?? 0);
  const phase = output.includes("\nIngesting ") ? "ingestion" : "start";
  if (sumOf(tree) > sumOf(peaks[phase])) peaks[phase] = tree;
  isDone = output.includes("are searchable after");
}
const ended = new Promise((resolve) => child.once("exit", resolve));
if (child.exitCode === null && child.kill("SIGTERM")) await ended;
rmSync(stateDir, { recursive: true, force: true });

console.log(
  isDone ? "the whole corpus" : `NOT the whole corpus: ended before; the last of the output:\n${output.slice(-600)}`,
);
for (const [phase, peak] of Object.entries(peaks)) {
  console.log(`peak of all processes, ${phase}: ${sumOf(peak).toFixed(0)} MB of ${LIMIT_MB}`);
  for (const { command, mb } of peak) console.log(`  ${mb.toFixed(0).padStart(5)} MB  ${command}`);
}
const isWithin = Object.values(peaks).every((peak) => sumOf(peak) <= LIMIT_MB);
process.exitCode = isDone && isWithin ? 0 : 1;

// What a person waits for: parsing this app without and with what is kept from the last time, a start to the first answer, and a
// change under `run --watch`. `node scripts/run-ts.mjs bench/start/main.ts [rounds] [URL]`; with the URL of a Postgres starts on it are
// measured too. A report, never a test.
import { type ChildProcess, spawn } from "node:child_process";
import { appendFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import { join } from "node:path";
import { root } from "../../runtime/http/__tests__/support/repository-root";
import { copyOfApp } from "../app-copy";
import { median } from "../http/measure";

const [roundsText = "5", databaseUrl] = process.argv.slice(2);
const rounds = Number(roundsText);
const app = copyOfApp();
const POLL_MS = 2;
/** Nobody changes a file again at once: meanwhile the next process loads the packages. */
const BETWEEN_CHANGES_MS = 3000;

const environment = (more: Record<string, string>): NodeJS.ProcessEnv => ({
  ...process.env,
  GROUNDWORK_STATE_DIR: join(app, ".groundwork"),
  GROUNDWORK_CRONS: "off",
  ...more,
});

function groundwork(args: string[], env: Record<string, string> = {}): ChildProcess {
  return spawn(process.execPath, [join(root, "dist/cli.js"), ...args, "--app", app], {
    env: environment(env),
    stdio: ["ignore", "pipe", "inherit"],
  });
}

const ended = (child: ChildProcess): Promise<void> => new Promise((resolve) => child.once("exit", () => resolve()));

/** Resolves with the first match in what `child` prints. */
function printed(child: ChildProcess, form: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    child.stdout?.on("data", (chunk: Buffer) => {
      text += chunk.toString();
      const found = form.exec(text)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.once("exit", (code) => reject(new Error(`the app ended with ${code}:\n${text}`)));
  });
}

function answers(url: string): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get(url, { agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once("error", () => resolve(false));
  });
}

async function untilAnswers(url: string): Promise<void> {
  while (!(await answers(url))) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
}

async function timesOf(work: () => Promise<void>): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    const began = performance.now();
    await work();
    times.push(performance.now() - began);
  }
  return times;
}

function report(what: string, times: number[]): void {
  const all = times.map((ms) => ms.toFixed(0)).join(", ");
  console.log(`  ${what.padEnd(52)} ${median(times).toFixed(0).padStart(5)} ms   (${all})`);
}

const check = async (): Promise<void> => ended(groundwork(["check"]));

const checkCold = async (): Promise<void> => {
  rmSync(join(app, ".encore"), { recursive: true, force: true });
  await check();
};

/** From the command to the first answer; how it ends is not counted. */
async function starts(env: Record<string, string>): Promise<number[]> {
  const times: number[] = [];
  for (let round = 0; round <= rounds; round++) {
    const began = performance.now();
    const child = groundwork(["run", "--port", "0"], env);
    await untilAnswers(`${await printed(child, /serving (http:\S+)/)}/livez`);
    times.push(performance.now() - began);
    child.kill("SIGTERM");
    await ended(child);
  }
  return times.slice(1); // the first made the database and the bundle
}

async function swaps(): Promise<number[]> {
  const child = groundwork(["run", "--watch", "--port", "0"]);
  child.stdout?.setMaxListeners(2 * rounds + 5);
  child.setMaxListeners(2 * rounds + 5);
  await untilAnswers(`${await printed(child, /serving (http:\S+)/)}/livez`);
  const times: number[] = [];
  for (let round = 0; round < rounds; round++) {
    await new Promise((resolve) => setTimeout(resolve, BETWEEN_CHANGES_MS));
    const replaced = printed(child, /app (replaced)/);
    const began = performance.now();
    appendFileSync(join(app, "telemetry/api.ts"), "\n// changed\n");
    await replaced;
    times.push(performance.now() - began);
  }
  const over = ended(child);
  child.kill("SIGTERM");
  await over;
  return times;
}

try {
  console.log(`medians of ${rounds}, this repository's app`);
  report("check, nothing kept", await timesOf(checkCold));
  report("check, nothing changed", await timesOf(check));
  report("run to the first answer, embedded Postgres", await starts({}));
  if (databaseUrl !== undefined)
    report("run to the first answer, DATABASE_URL", await starts({ DATABASE_URL: databaseUrl }));
  report("run --watch, change to the new app serving", await swaps());
} finally {
  rmSync(app, { recursive: true, force: true });
}

// Tries by Node itself what no process of users' code may do (walls.test.ts), as code would that had come out of the engine. Speaks as
// sandbox.child.mjs does; a job's input says what there is to reach, and the output what became of each attempt: "done", or why not.
import { exec, fork, spawn } from "node:child_process";
import { createSocket } from "node:dgram";
import { lookup } from "node:dns";
import { closeSync, createWriteStream, existsSync, openSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { symlinkSync, unlinkSync } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { get } from "node:http";
import { createRequire } from "node:module";
import { connect, createServer } from "node:net";
import { Worker } from "node:worker_threads";

process.stdin.on("end", () => process.exit(0));

const waitFor = (emitter, name) =>
  new Promise((resolve, reject) => {
    emitter.once(name, resolve);
    emitter.once("error", reject);
  });

const attemptsOf = ({ port, udpPort, unixPath, secretFile, newFile, addon }) => ({
  connect: () => waitFor(connect(port, "127.0.0.1"), "connect"),
  connectUnix: () => waitFor(connect(unixPath), "connect"),
  request: () => waitFor(get({ port, host: "127.0.0.1" }), "response"),
  fetch: () => fetch(`http://127.0.0.1:${port}`),
  listen: () => waitFor(createServer().listen(0, "127.0.0.1"), "listening"),
  datagram: () => {
    const socket = createSocket("udp4");
    return new Promise((resolve, reject) => {
      socket.on("error", reject);
      socket.send("a", udpPort, "127.0.0.1", (error) => (error === null ? resolve() : reject(error)));
    });
  },
  hostsFile: () =>
    new Promise((resolve, reject) => lookup("localhost", (error) => (error === null ? resolve() : reject(error)))),
  readFile: () => readFile(secretFile),
  readFileSync: () => readFileSync(secretFile),
  readOfProcess: () => readFileSync("/proc/self/environ"),
  readOfParent: () => readFileSync(`/proc/${process.ppid}/environ`),
  open: () => openSync(secretFile),
  list: () => readdirSync("/"),
  exists: () => {
    if (!existsSync(secretFile)) throw new Error("not seen");
  },
  require: () => createRequire(import.meta.url)(secretFile),
  import: () => import(secretFile),
  writeFile: () => writeFile(newFile, "a"),
  writeFileSync: () => writeFileSync(newFile, "a"),
  writeStream: () => waitFor(createWriteStream(newFile), "open"),
  link: () => symlinkSync(secretFile, `${newFile}.link`),
  remove: () => unlinkSync(newFile),
  spawn: () => waitFor(spawn("/bin/true", { stdio: "ignore" }), "spawn"),
  spawnNode: () => waitFor(spawn(process.execPath, ["-e", "1"], { stdio: "inherit" }), "spawn"),
  exec: () => new Promise((resolve, reject) => exec("true", (error) => (error === null ? resolve() : reject(error)))),
  fork: () => waitFor(fork(secretFile), "spawn"),
  worker: () => waitFor(new Worker("1", { eval: true }), "online"),
  binding: () => {
    const stdio = [0, 1, 2].map(() => ({ type: "ignore" }));
    const { error } = process.binding("spawn_sync").spawn({ file: "/bin/true", args: ["true"], stdio });
    if (error !== undefined) throw new Error(`no program: ${error}`);
  },
  addon: () => process.dlopen({ exports: {} }, addon),
  environment: () => {
    if (process.env.PLANTED_MARKER === undefined) throw new Error("no environment");
  },
  eval: () => (0, eval)("1"),
  maker: () => new Function("return 1")(),
  // Last, for nothing more is heard then: the number of what is closed would be free for a socket.
  connectByStandardInput: () => {
    closeSync(0);
    return waitFor(connect(port, "127.0.0.1"), "connect");
  },
});

const ATTEMPT_MS = 3_000;

async function outcomeOf(attempt) {
  let timer;
  const late = new Promise((_resolve, reject) => (timer = setTimeout(() => reject(new Error("late")), ATTEMPT_MS)));
  try {
    await Promise.race([Promise.resolve().then(attempt), late]);
    return "done";
  } catch (error) {
    return String(error?.code ?? error?.message ?? error);
  } finally {
    clearTimeout(timer);
  }
}

const tell = (message) => process.stdout.write(`${JSON.stringify(message)}\n`);

async function run({ job }) {
  const outcomes = {};
  const chosen = JSON.parse(job.input);
  for (const [name, attempt] of Object.entries(attemptsOf(chosen))) {
    if (!chosen.without.includes(name)) outcomes[name] = await outcomeOf(attempt);
  }
  tell({ ended: { output: JSON.stringify(outcomes), durationMs: 1 } });
  // What its attempts have left open keeps it from ending.
  setTimeout(() => process.exit(0), 1_000);
}

// What is not an attempt's own failure must not end the others.
process.on("uncaughtException", () => undefined);
let begun = "";
process.stdin.setEncoding("utf8").on("data", (part) => {
  begun += part;
  if (begun.endsWith("\n")) void run(JSON.parse(begun));
});
tell({ isReady: true });

// What a process that runs users' code may not do, should anybody come out of the engine and into it. Two walls around it, neither of
// which the code inside can move:
//   kernel limits     prlimit(2), set from outside when the process has loaded all that it needs. It can open no further file or socket, which
//                     is its network away, and start nothing, for that takes a file too; it can write no file, and has so much time
//                     of a processor in its life. The wall that stands against hostile machine code.
//   permission model  Node's (https://nodejs.org/api/permissions.html): it reads its own files, writes none, starts nothing and loads no native
//                     add-on. It keeps no network away before Node 25, and says itself that it is no wall against hostile code.
// prlimit is a program of util-linux: Debian, Ubuntu and their Node images have it; Alpine, macOS and Windows do not. There, production
// runs nothing, and development runs behind the second wall alone and says so at the start (SANDBOX_WITHOUT_KERNEL_LIMITS).
import { execFile } from "node:child_process";
import { existsSync, realpathSync } from "node:fs";
import { dirname, join } from "node:path";
import { cfg } from "../../config";
import { logger } from "../../telemetry/logger";
import { errors } from "./errors";

/** By path, so that nobody's PATH decides. */
const PRLIMIT = ["/usr/bin/prlimit", "/bin/prlimit"];
const PRLIMIT_TIME_MS = 5_000;

/** Of all its runs together; a process is replaced long before (sandbox-process.ts). */
const CPU_SECONDS = 60;

/** nofile=0 and not 1: with 1, whoever closes standard input has its number for a socket. */
const LIMITS = ["--nofile=0:0", "--nproc=0:0", "--fsize=0:0", "--core=0:0", `--cpu=${CPU_SECONDS}:${CPU_SECONDS}`];

export interface Walls {
  /** The program that sets the kernel's limits, where there is one. */
  prlimit: string | undefined;
  /** Whether code runs where there is none. */
  withoutKernelLimits: "warn" | "refuse";
}

export function wallsHere(): Walls {
  const prlimit = process.platform === "linux" ? PRLIMIT.find((path) => existsSync(path)) : undefined;
  return { prlimit, withoutKernelLimits: cfg.sandbox.withoutKernelLimits };
}

/** @throws APIError sandbox_walls_missing where nothing may run */
export function assertWalls({ prlimit, withoutKernelLimits }: Walls): void {
  if (prlimit === undefined && withoutKernelLimits === "refuse") throw errors.sandbox_walls_missing();
}

/** Says at the start what is missing, if anything is. */
export function tellWalls({ prlimit, withoutKernelLimits }: Walls, log = logger("sandbox")): void {
  if (prlimit !== undefined) return;
  const missing = "there is no prlimit (util-linux) here, so the kernel's limits cannot be set";
  if (withoutKernelLimits === "warn") log.warn(`${missing}: users' code runs behind Node's permission model alone`);
  else log.error(`${missing}: users' code is not run; install it, or set SANDBOX_WITHOUT_KERNEL_LIMITS=warn`);
}

/** Sets the limits of a process, where they can be. @throws Error when they cannot be set: then nothing may run in it */
export async function limitProcess(pid: number, { prlimit }: Walls): Promise<void> {
  if (prlimit === undefined) return;
  await new Promise<void>((resolve, reject) => {
    const options = { env: {}, timeout: PRLIMIT_TIME_MS };
    execFile(prlimit, ["--pid", String(pid), ...LIMITS], options, (error) => {
      if (error === null) resolve();
      else reject(new Error("the limits of a process could not be set", { cause: error }));
    });
  });
}

/** The flag has another name since it is no longer an experiment (Node 23.5). */
const permissionFlag = (version: string): string =>
  Number(version.split(".")[0]) >= 24 ? "--permission" : "--experimental-permission";

const PACKAGES = ["quickjs-emscripten-core", "@jitl/quickjs-wasmfile-release-sync", "@jitl/quickjs-ffi-types"];

/** What a symbolic link leads to is what Node asks for. */
const folderOf = (name: string, root: string): string => realpathSync(join(root, "node_modules", name));

/** Node's arguments for a program behind the permission model; the program is the last of them. */
export function commandOf(file: string, root: string, version = process.versions.node): string[] {
  const readable = [join(dirname(file), "*"), ...PACKAGES.map((name) => join(folderOf(name, root), "*"))];
  return [
    permissionFlag(version),
    ...readable.map((path) => `--allow-fs-read=${path}`),
    `--allow-fs-read=${join(root, "package.json")}`,
    // For the thread that watches the time (sandbox.child.mjs). Behind the kernel's limits no other can begin.
    "--allow-worker",
    "--disallow-code-generation-from-strings",
    "--disable-proto=delete",
    "--no-addons",
    "--no-warnings",
    // For what the engine is read with; its own memory is not of this heap.
    "--max-old-space-size=64",
    "--max-semi-space-size=2",
    file,
  ];
}

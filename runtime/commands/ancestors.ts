// `npm start` puts a shell and npm above this process. When npm is killed outright, nobody would tell us, and
// the app would go on alone; so its ancestors are looked at once a second, and their end is ours.
import { readFileSync } from "node:fs";

const everyMs = 1000;

/** Parent of a process, by Linux's /proc; undefined elsewhere or when it is gone. */
function parentOf(pid: number): number | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
}

/** Only when npm started us: a shell's background job or a service manager outlives its parent on purpose. */
export function watchAncestors(env: NodeJS.ProcessEnv): void {
  if (!env.npm_lifecycle_event) return;
  const grandparent = parentOf(process.ppid);
  const watched = [process.ppid, ...(grandparent !== undefined && grandparent > 1 ? [grandparent] : [])];
  setInterval(() => {
    if (!watched.every(isAlive)) process.kill(process.pid, "SIGTERM");
  }, everyMs).unref();
}

// Start-up to the first answer, and memory after it and after load: each program started anew `rounds` times in turn.
import { readFileSync } from "node:fs";
import { load, median, type Startable, type Workload } from "./measure";

const LOAD_SECONDS = 3;

/** Resident memory in MB. */
function residentMb(pid: number): number {
  const kb = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8"))?.[1];
  return Number(kb) / 1024;
}

/** Prints medians of each program and the first one's beside them. Needs /proc. */
export async function measureStarts(
  programs: Startable[],
  { rounds, request }: { rounds: number; request: Workload["request"] },
): Promise<void> {
  const runs = programs.map((program) => ({
    program,
    ms: [] as number[],
    fresh: [] as number[],
    loaded: [] as number[],
  }));
  for (let round = 0; round < rounds; round++) {
    for (const { program, ms, fresh, loaded } of runs) {
      const began = performance.now();
      const server = await program.start();
      ms.push(performance.now() - began);
      fresh.push(residentMb(server.pid));
      await load(server, request, LOAD_SECONDS);
      loaded.push(residentMb(server.pid));
      await server.stop();
    }
  }
  console.log(`\nstart-up to the first answer, and memory: ${rounds} starts each`);
  for (const { program, ms, fresh, loaded } of runs) {
    console.log(
      `  ${program.name.padEnd(34)} ${median(ms).toFixed(0).padStart(5)} ms   ${median(fresh).toFixed(0).padStart(4)} MB fresh   ${median(loaded).toFixed(0).padStart(4)} MB after ${LOAD_SECONDS} s of load`,
    );
  }
}

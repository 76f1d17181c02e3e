// What runs in the background of this service: the workers of this process, of the jobs whose service it hosts
// ("vectors:embed" belongs to vectors), and only while the process is ready. Tests call startWorkers themselves.
import { appMeta } from "encore.dev";
import { cfg } from "../config";
import { systemQuery } from "../db/tenant";
import { registerDestination } from "../events/destinations";
import { isReadyForWork } from "../events/work-gate";
import { logger } from "../telemetry/logger";
import { observeGauge } from "../telemetry/metrics";
import { isDraining, onShutdown } from "../telemetry/shutdown";
import { closeStorage } from "./bull";
import { jobDestination } from "./destination";
import { JOB_DESTINATION } from "./enqueue";
import { allWorkers, closeQueues, makeQueue, type JobWorker } from "./factory";
import { startSchedules, stopSchedules } from "./schedules";
import { flushTasks } from "./tasks";
import { jobDeadLetters } from "./store/dead-letter";

const FIRST_LOOK_MS = 50;
const LOOK_AGAIN_MS = 2_000;

const running = new Set<JobWorker>();

/** Makes jobs known to the relay of this process, and runs its workers while it is ready. */
export function startQueues(): void {
  registerDestination(JOB_DESTINATION, jobDestination);
  if (cfg.env !== "test") runWorkersWhileReady();
}

/**
 * Starts every worker made so far that is not running yet; no more of them, and no schedules, from when the process is on its way
 * out: what pauses workers then has paused those that it found.
 */
export async function startWorkers(
  workers: readonly JobWorker[] = allWorkers(),
  isEnding: () => boolean = isDraining,
): Promise<void> {
  registerDestination(JOB_DESTINATION, jobDestination);
  for (const worker of workers) {
    if (isEnding()) return;
    if (running.has(worker)) continue;
    running.add(worker);
    await worker.start().catch((error: unknown) => {
      running.delete(worker);
      throw error;
    });
    // It may have begun to run behind its pause.
    if (isEnding()) return worker.pause();
  }
  if (!isEnding()) startSchedules();
}

/** Stops the workers, then closes the queues and their connections. With `force` jobs at hand are aborted. */
export async function stopWorkers(force = false): Promise<void> {
  const stopping = [...running];
  running.clear();
  await stopSchedules();
  await Promise.allSettled(stopping.map((worker) => worker.stop(force)));
  await flushTasks();
  await closeQueues();
  await closeStorage();
}

function runWorkersWhileReady(): void {
  const hosted = appMeta().deploy.hostedServices;
  const mine = (): JobWorker[] => allWorkers().filter((worker) => (worker.jobName.split(":")[0] ?? "") in hosted);
  let isPaused = false;
  let timer = setTimeout(look, FIRST_LOOK_MS);

  function look(): void {
    void follow().finally(() => {
      timer = setTimeout(look, LOOK_AGAIN_MS);
      timer.unref();
    });
  }

  async function follow(): Promise<void> {
    try {
      let isReady = await isReadyForWork();
      if (isReady) await startWorkers(mine());
      // So that its depth is told from the start, and not from when something was put into it here. Nobody waits for that: a
      // store that hangs must not keep workers from being paused. The next look asks again.
      for (const { jobName } of running) void makeQueue(jobName).catch(() => undefined);
      // It may be on its way out since.
      isReady &&= !isDraining();
      if (isReady === isPaused)
        await Promise.all([...running].map((worker) => (isReady ? worker.resume() : worker.pause())));
      if (!isReady) await stopSchedules();
      isPaused = !isReady;
    } catch (error) {
      logger("queues").error({ err: error }, "the workers could not be started and will be tried again");
    }
  }

  onShutdown("workers pause", async () => {
    clearTimeout(timer);
    await Promise.all([stopSchedules(), ...[...running].map((worker) => worker.pause())]);
  });
  onShutdown("workers stop", () => stopWorkers(true), "idle");
  observeGauge("dead_letters", async () => {
    const [row] = await systemQuery<{ depth: number }>("metrics-job-dead-letters", jobDeadLetters.depth);
    return [{ value: row?.depth ?? 0, labels: { source: "queues" } }];
  });
}

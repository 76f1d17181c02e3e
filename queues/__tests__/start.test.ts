// A process that is told to end while its workers start takes no work with those that it has not started yet.
import { afterAll, expect, test } from "vitest";
import type { JobWorker } from "../factory";
import { startWorkers, stopWorkers } from "../start";

afterAll(() => stopWorkers(true));

function workersOf(count: number) {
  const told: string[] = [];
  const tell = (text: string) => (): Promise<void> => Promise.resolve(void told.push(text));
  const workers = Array.from({ length: count }, (_, at): JobWorker => {
    const name = `test:worker-${at + 1}`;
    const acts = { pause: tell(`pause ${at + 1}`), resume: tell(`resume ${at + 1}`), stop: tell(`stop ${at + 1}`) };
    return { jobName: name, start: tell(`start ${at + 1}`), ...acts };
  });
  return { told, workers };
}

test("the one that is being started is paused, and none is started behind it", async () => {
  const { told, workers } = workersOf(4);
  await startWorkers(workers, () => told.includes("start 2"));
  expect(told).toEqual(["start 1", "start 2", "pause 2"]);
  await startWorkers(workers, () => true);
  expect(told).toHaveLength(3);
});

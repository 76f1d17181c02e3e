// Jobs whose payload another version of the app wrote: for how long they are given back, and when they come again.
import { DelayedError } from "bullmq";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { newId } from "../../db/ids";
import { systemQuery } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import type { TakenJob } from "../bull";
import { RETRY } from "../conventions";
import { FOREIGN_PAYLOAD_HOURS, JobPace, PAYLOAD_HEADER, payloadMark } from "../give-back";
import { defineJob } from "../job";
import { runJob } from "../run-job";
import { RunningJobs } from "../running-jobs";
import { throughGate } from "../tenant-gate";

const HOUR_MS = 3_600_000;
const facts = { name: "test:given-back", retry: RETRY.once, timeoutMs: 5_000 };
const older = defineJob({ ...facts, payload: z.object({ kind: z.enum(["a", "b"]) }) });
const newer = defineJob({ ...facts, payload: z.object({ kind: z.enum(["a", "b", "c"]) }) });

interface Changes {
  headers?: Record<string, string>;
  progress?: unknown;
  kind?: string;
  attemptsStarted?: number;
  isStopping?: boolean;
}

/** One delivery of a job of the newer version to the older one: what became of it, and what was told BullMQ. */
async function deliver({ headers, progress, kind = "c", attemptsStarted = 1, isStopping = false }: Changes = {}) {
  const told: unknown[] = [];
  const id = newId();
  const running = new RunningJobs();
  if (isStopping) running.stop();
  const outcome = await runJob(
    older,
    { handler: async () => undefined, running },
    {
      ...{ id, name: older.name, attemptsMade: 0, attemptsStarted, timestamp: Date.now(), progress },
      data: {
        payload: { kind },
        tenantId: tenantIdFrom(newId()),
        headers: headers ?? { [PAYLOAD_HEADER]: payloadMark(newer) },
      },
      moveToWait: async () => void told.push("wait"),
      updateProgress: async (note) => void told.push(note),
      updateData: async () => undefined,
      moveToDelayed: async (atMs) => void told.push(atMs),
    },
  ).catch((error: unknown) => (error as Error).name);
  const letters = await systemQuery<{ reason: string }>(
    "test",
    "select reason from queues.dead_letter where job_id = $1",
    [id],
  );
  return { outcome, told, letters: letters.map(({ reason }) => reason) };
}

describe("a job whose payload this version does not take", () => {
  it("is put back a second or two later, with a note of how often and since when", async () => {
    const beganAt = Date.now();
    const { outcome, told, letters } = await deliver();
    const [note, atMs] = told as [{ givenBack: { times: number; sinceMs: number } }, number];
    expect([outcome, note.givenBack.times, letters]).toEqual(["given_back", 1, []]);
    expect(note.givenBack.sinceMs).toBeGreaterThanOrEqual(beganAt);
    expect(atMs - note.givenBack.sinceMs).toBeGreaterThanOrEqual(1_000);
    expect(atMs - Date.now()).toBeLessThanOrEqual(2_010);
    const again = await deliver({ progress: note });
    expect(again.told[0]).toEqual({ givenBack: { times: 2, sinceMs: note.givenBack.sinceMs } });
  });

  it("becomes a dead letter when no version came that takes it, and at once when its own version wrote it or nobody knows which", async () => {
    const since = (hours: number) => ({ givenBack: { times: 9, sinceMs: Date.now() - hours * HOUR_MS } });
    const given = { outcome: "given_back", letters: [] };
    const buried = { outcome: "UnrecoverableError", letters: ["payload_invalid"], told: [] };
    expect(await deliver({ progress: since(FOREIGN_PAYLOAD_HOURS - 1) })).toMatchObject(given);
    expect(await deliver({ progress: since(FOREIGN_PAYLOAD_HOURS + 1) })).toEqual(buried);
    expect(await deliver({ headers: { [PAYLOAD_HEADER]: payloadMark(older) } })).toEqual(buried);
    expect(await deliver({ headers: {} })).toEqual(buried);
    // What another wrote into its progress is no note of ours.
    expect(await deliver({ progress: 40 })).toMatchObject(given);
  });

  it("goes back again when the process that takes it stops, however often others gave it back", async () => {
    const stopping = { kind: "a", attemptsStarted: 100, isStopping: true };
    const progress = { givenBack: { times: 90, sinceMs: Date.now() } };
    expect(await deliver({ ...stopping, progress })).toEqual({ outcome: "given_back", told: ["wait"], letters: [] });
    expect(await deliver(stopping)).toMatchObject({ outcome: "UnrecoverableError", letters: ["attempts_exhausted"] });
  });
});

describe("a job of which nobody can say whether it may begin", () => {
  it("goes back as any other when the process that runs it at last stops, however long that lasted", async () => {
    const limited = defineJob({ ...facts, name: "test:unasked", payload: z.object({}), perTenant: { concurrency: 1 } });
    let progress: unknown = { other: 1 };
    const delays: number[] = [];
    const taken = (): TakenJob => ({
      // The database takes no such text: it is asked in vain.
      ...{ id: "un\0asked", name: limited.name, attemptsMade: 0, timestamp: Date.now(), progress },
      data: { payload: {}, tenantId: tenantIdFrom(newId()), headers: {} },
      moveToWait: async () => undefined,
      updateProgress: async (note) => void (progress = note),
      updateData: async () => undefined,
      moveToDelayed: async (atMs) => void delays.push(atMs),
    });
    const never = { run: () => expect.fail("it ran"), isOver: () => true, call: () => Promise.resolve(true) };
    for (let second = 0; second < 40; second++)
      await expect(throughGate(limited, taken(), never)).rejects.toThrow(DelayedError);
    expect(delays).toHaveLength(40);
    const stopping = { kind: "a", attemptsStarted: 41, isStopping: true };
    expect(await deliver({ ...stopping, progress })).toEqual({ outcome: "given_back", told: ["wait"], letters: [] });
    expect(progress).toMatchObject({ other: 1 });
  });
});

describe("what tells payloads apart", () => {
  it("is the schema, however it was made", () => {
    expect(payloadMark(defineJob({ ...facts, payload: z.object({ kind: z.enum(["a", "b"]) }) }))).toBe(
      payloadMark(older),
    );
    expect(payloadMark(newer)).not.toBe(payloadMark(older));
    // A transformation has no words in JSON Schema, and is no error.
    expect(payloadMark(defineJob({ ...facts, payload: z.date() }))).toMatch(/^[0-9a-f]{16}$/);
  });
});

describe("jobs that are given back", () => {
  it("come again after a pause that grows to a minute, and a hundred a second at most", () => {
    let now = 0;
    let drawn = 0;
    const pace = new JobPace(
      () => now,
      () => drawn,
    );
    const delays = [-30_000, 0, 20_000, 100_000, 600_000, 1_200_000, 43_200_000].map((ageMs) => {
      now += 100;
      return pace.nextDelayMs(ageMs);
    });
    expect(delays).toEqual([1000, 1000, 1000, 5000, 30_000, 60_000, 60_000]);
    drawn = 0.5;
    now += 100;
    expect(pace.nextDelayMs(0)).toBe(1500);
    drawn = 0;
    const many = Array.from({ length: 1000 }, () => pace.nextDelayMs(0));
    expect([many[0], many[999]]).toEqual([1010, 11_000]);
    now += 60_000;
    expect(pace.nextDelayMs(0)).toBe(1000);
  });
});

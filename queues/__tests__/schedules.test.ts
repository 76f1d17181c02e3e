// Jobs by the clock: when a tick is, and that each has one run.
import { afterAll, describe, expect, test } from "vitest";
import { z } from "zod";
import { newId } from "../../db/ids";
import { systemQuery } from "../../db/tenant";
import { defineJob } from "../job";
import { faultOf, nextTickMs, type ScheduleSpec } from "../next-tick";
import { makeScheduler, takeTicks } from "../schedules";

/** The next three ticks of a process that looks whenever one is due. */
function ticksOf(spec: ScheduleSpec, from: string): string[] {
  const ticks: string[] = [];
  for (let ms = Date.parse(from); ticks.length < 3; ticks.push(new Date(ms).toISOString().slice(0, 16)))
    ms = nextTickMs(spec, ms, ms);
  return ticks;
}

describe("the ticks of a pattern in its zone", () => {
  test.each([
    ["in UTC", "30 2 * * *", "UTC", "2026-03-28T03:00Z", ["2026-03-29T02:30", "2026-03-30T02:30", "2026-03-31T02:30"]],
    [
      "a time that spring skips is that when the clocks have gone forward",
      "30 2 * * *",
      "Europe/Berlin",
      "2026-03-28T02:00Z",
      ["2026-03-29T01:00", "2026-03-30T00:30", "2026-03-31T00:30"],
    ],
    [
      "its first minute too",
      "0 2 * * *",
      "America/New_York",
      "2026-03-07T12:00Z",
      ["2026-03-08T07:00", "2026-03-09T06:00", "2026-03-10T06:00"],
    ],
    [
      "one that is skipped and one that is the same then are one",
      "0,30 2,3 * * *",
      "Europe/Berlin",
      "2026-03-29T00:00Z",
      ["2026-03-29T01:00", "2026-03-29T01:30", "2026-03-30T00:00"],
    ],
    [
      "half hours go on evenly over spring",
      "*/30 * * * *",
      "Europe/Berlin",
      "2026-03-29T00:15Z",
      ["2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T01:30"],
    ],
    [
      "a time that comes twice in autumn is the first",
      "30 2 * * *",
      "Europe/Berlin",
      "2026-10-24T12:00Z",
      ["2026-10-25T00:30", "2026-10-26T01:30", "2026-10-27T01:30"],
    ],
    [
      "also for who looks between the two",
      "30 2 * * *",
      "Europe/Berlin",
      "2026-10-25T00:45Z",
      ["2026-10-26T01:30", "2026-10-27T01:30", "2026-10-28T01:30"],
    ],
    [
      "hours go on evenly over autumn",
      "0 * * * *",
      "America/New_York",
      "2026-11-01T04:30Z",
      ["2026-11-01T05:00", "2026-11-01T06:00", "2026-11-01T07:00"],
    ],
    [
      "a zone that goes forward by half an hour",
      "15 2 * * *",
      "Australia/Lord_Howe",
      "2026-10-03T00:00Z",
      ["2026-10-03T15:30", "2026-10-04T15:15", "2026-10-05T15:15"],
    ],
    [
      "a zone of a quarter",
      "0 9 * * MON",
      "Asia/Kathmandu",
      "2026-04-04T00:00Z",
      ["2026-04-06T03:15", "2026-04-13T03:15", "2026-04-20T03:15"],
    ],
    [
      "of a list each time that comes twice is one",
      "30 1,2 * * *",
      "Europe/Berlin",
      "2026-10-24T12:00Z",
      ["2026-10-24T23:30", "2026-10-25T00:30", "2026-10-26T00:30"],
    ],
    [
      "and each that is skipped",
      "30 1-2 * * *",
      "Europe/Berlin",
      "2026-03-28T12:00Z",
      ["2026-03-29T00:30", "2026-03-29T01:00", "2026-03-29T23:30"],
    ],
    [
      "steps go by the hands of the clock: twice in autumn",
      "*/30 2 * * *",
      "Europe/Berlin",
      "2026-10-25T00:15Z",
      ["2026-10-25T00:30", "2026-10-25T01:00", "2026-10-25T01:30"],
    ],
    [
      "and not in spring",
      "*/30 2 * * *",
      "Europe/Berlin",
      "2026-03-28T12:00Z",
      ["2026-03-30T00:00", "2026-03-30T00:30", "2026-03-31T00:00"],
    ],
  ])("%s: %s in %s", (_what, pattern, zone, from, ticks) => {
    expect(ticksOf({ pattern, zone }, from)).toEqual(ticks);
  });

  test("an interval does not drift, and goes on where it is after a pause", () => {
    expect(nextTickMs({ everyMs: 1_000 }, 5_000, 5_300)).toBe(6_000);
    expect(nextTickMs({ everyMs: 1_000 }, 5_000, 65_300)).toBe(66_000);
    expect(nextTickMs({ everyMs: 1_000 }, 5_000, 6_000)).toBe(7_000);
    expect(nextTickMs({ everyMs: 1_000 }, 5_000, 4_000)).toBe(6_000);
  });

  test.each([
    [{ pattern: "* * * * * *", zone: "UTC" }, "five fields"],
    [{ pattern: "61 * * * *", zone: "UTC" }, "five fields"],
    [{ pattern: "0 0 * * *", zone: "Mars/Base" }, "IANA zone"],
    [{ pattern: "2027-01-01T00:00:00", zone: "UTC" }, "five fields"],
    [{ pattern: "@daily", zone: "UTC" }, "five fields"],
    [{ pattern: "0 0 * * *", zone: "" }, "IANA zone"],
    [{ pattern: "0 0 30 2 *", zone: "UTC" }, "never comes"],
    [{ everyMs: 0 }, "positive"],
    [{ everyMs: 1.5 }, "positive"],
  ])("%j is refused", (spec, why) => {
    expect(faultOf(spec)).toContain(why);
  });
});

describe("a schedule", () => {
  const made: (() => Promise<void>)[] = [];
  afterAll(async () => {
    for (const remove of made) await remove();
  });
  const tickOf = (payload: z.ZodType<{ n: number }> = z.object({ n: z.number() })) => {
    const job = defineJob({ name: `test:t-${newId()}`, payload, timeoutMs: 1_000 });
    const scheduler = makeScheduler(job);
    made.push(() => scheduler.remove("s"));
    return { job, scheduler };
  };
  /** As if so much time had passed. */
  const dueAgo = (job: string, ago: string): Promise<unknown> =>
    systemQuery("test", "update queues.schedule set next_at = now() - $2::interval where job = $1", [job, ago]);
  const runsOf = (job: string) =>
    systemQuery<{ tenantId: null; payload: unknown }>(
      "test",
      `select tenant_id as "tenantId", payload from events.outbox where type = $1 order by position`,
      [job],
    );
  const nextOf = async (job: string): Promise<number | undefined> =>
    (
      await systemQuery<{ at: Date }>("test", "select next_at as at from queues.schedule where job = $1", [job])
    )[0]?.at.getTime();
  const untilTaken = async (): Promise<void> => {
    while ((await takeTicks()) === 0);
  };

  test("that is due has one run, whoever looks, and its next tick is ahead", async () => {
    const { job, scheduler } = tickOf();
    await scheduler.every("s", 600_000, { n: 1 });
    await dueAgo(job.name, "1 second");
    await Promise.all([untilTaken(), untilTaken(), untilTaken()]);
    expect(await runsOf(job.name)).toEqual([{ tenantId: null, payload: { n: 1 } }]);
    const [row] = await systemQuery<{ isAhead: boolean }>(
      "test",
      `select next_at between now() + interval '9 minutes' and now() + interval '10 minutes' as "isAhead" from queues.schedule where job = $1`,
      [job.name],
    );
    expect(row).toEqual({ isAhead: true });
  });

  test.each([
    ["once" as const, 1],
    ["skip" as const, 0],
  ])("that was missed for days is made up by its word: %s", async (missed, runs) => {
    const { job, scheduler } = tickOf();
    await scheduler.cron("s", "0 3 * * *", { n: 2 }, { zone: "Europe/Berlin", missed });
    await dueAgo(job.name, "3 days");
    await untilTaken();
    expect(await runsOf(job.name)).toHaveLength(runs);
    const [row] = await systemQuery("test", `select next_at > now() as "isAhead" from queues.schedule where job = $1`, [
      job.name,
    ]);
    expect(row).toEqual({ isAhead: true });
  });

  test("that is declared again at a start keeps its next tick, unless its ticks are others", async () => {
    const { job, scheduler } = tickOf();
    await scheduler.every("s", 600_000, { n: 1 });
    await dueAgo(job.name, "1 second");
    const due = await nextOf(job.name);
    await scheduler.every("s", 600_000, { n: 3 });
    expect(await nextOf(job.name)).toBe(due);
    await scheduler.every("s", 500_000, { n: 4 });
    expect(await nextOf(job.name)).toBeGreaterThan(due ?? Infinity);
    await dueAgo(job.name, "1 second");
    await untilTaken();
    expect(await runsOf(job.name)).toMatchObject([{ payload: { n: 4 } }]);
  });

  test.each([
    ["whose payload this version does not take", `payload = '{"n": "x"}'`],
    ["that cannot be taken", `pattern = '2000-01-01T00:00:00', zone = 'UTC', every_ms = null`],
  ])("%s holds up no other, and stays due for other processes", async (_what, fault) => {
    const loose = tickOf();
    await loose.scheduler.every("s", 600_000, { n: 1 });
    const { job, scheduler } = tickOf();
    await scheduler.every("s", 600_000, { n: 1 });
    await systemQuery("test", `update queues.schedule set ${fault} where job = $1`, [loose.job.name]);
    await dueAgo(loose.job.name, "2 seconds");
    await dueAgo(job.name, "1 second");
    const due = await nextOf(loose.job.name);
    await untilTaken();
    expect(await takeTicks()).toBeGreaterThan(0);
    expect(await runsOf(loose.job.name)).toEqual([]);
    expect(await nextOf(loose.job.name)).toBe(due);
    expect(await runsOf(job.name)).toHaveLength(1);
    // As its next version does at its start.
    await loose.scheduler.every("s", 600_000, { n: 2 });
    await dueAgo(loose.job.name, "1 second");
    await untilTaken();
    expect(await runsOf(loose.job.name)).toMatchObject([{ payload: { n: 2 } }]);
  });

  test("that is none is refused with the reason", async () => {
    await expect(tickOf().scheduler.cron("s", "0 0 * * *", { n: 1 }, { zone: "Berlin" })).rejects.toThrow(RangeError);
    const long = defineJob({ name: `test:t-${newId()}`, payload: z.string(), timeoutMs: 1_000 });
    await expect(makeScheduler(long).every("s", 1_000, "x".repeat(256 * 1024))).rejects.toMatchObject({
      details: { reason: "payload_too_large" },
    });
  });
});

// Who reads for long is asked now and then whether they still may, once for all that they read.
import { auth } from "~encore/clients";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { beginReading, declareActing, goOn, type Reading } from "../../db/acting";
import { systemQuery } from "../../db/tenant";
import { registerCaller } from "../../testing";
import { lockActing } from "../acting-now";
import { refusalToRead } from "../reading-now";

const PATIENT_MS = 5_000;
let asked: string[];
let isAway = false;
beforeEach(() => {
  asked = [];
  vi.useFakeTimers({ toFake: ["performance"] });
  declareActing({
    lock: lockActing,
    refusalToRead: async (principal, permission, sinceMs) => {
      asked.push(principal.subjectId);
      if (isAway) throw new Error("the database is away");
      return refusalToRead(principal, permission, sinceMs);
    },
  });
});
afterEach(() => {
  vi.useRealTimers();
  declareActing({ lock: lockActing, refusalToRead });
});

const all = (readings: readonly Reading[]): Promise<boolean[]> =>
  Promise.all(readings.map((reading) => reading.mayGoOn()));

test("eight streams of one person are one question, and another person's are another; all end with the session", async () => {
  const [ada, bob] = [await registerCaller(), await registerCaller()];
  const readings: Reading[] = [];
  for (let i = 0; i < 8; i++) readings.push(await beginReading(ada.principal, "job.read", PATIENT_MS));
  const other = await beginReading(bob.principal, "job.read", PATIENT_MS);
  expect(asked).toHaveLength(9);
  asked = [];
  vi.advanceTimersByTime(PATIENT_MS);
  expect(await all([...readings, other])).toEqual(Array.from({ length: 9 }, () => true));
  expect(asked.toSorted()).toEqual([ada.principal.subjectId, bob.principal.subjectId].toSorted());
  await auth.logout({}, ada);
  vi.advanceTimersByTime(PATIENT_MS - 1);
  expect(await all(readings)).toEqual(Array.from({ length: 8 }, () => true));
  expect(asked).toHaveLength(2);
  vi.advanceTimersByTime(1);
  expect(await all([...readings, other])).toEqual([...Array.from({ length: 8 }, () => false), true]);
  expect(asked).toHaveLength(4);
});

test("what another reading was told counts from when it was asked, for a second, and for the same permission alone", async () => {
  const ada = await registerCaller();
  const [first, second] = [
    await beginReading(ada.principal, "job.read", PATIENT_MS),
    await beginReading(ada.principal, "job.read", PATIENT_MS),
  ];
  const more = await beginReading(ada.principal, "audit.read", PATIENT_MS);
  vi.advanceTimersByTime(PATIENT_MS);
  expect(await first.mayGoOn()).toBe(true);
  asked = [];
  await systemQuery("test", "update auth.membership set role = 'member' where account_id = $1", [
    ada.principal.subjectId,
  ]);
  vi.advanceTimersByTime(999);
  expect(await all([second, more])).toEqual([true, false]);
  expect(asked).toHaveLength(1);
  await auth.logout({}, ada);
  // Asked 999 ms before it was told so.
  vi.advanceTimersByTime(PATIENT_MS - 999);
  expect(await second.mayGoOn()).toBe(false);
});

test("a question that failed is asked again", async () => {
  const ada = await registerCaller();
  const reading = await beginReading(ada.principal, "job.read", 0);
  isAway = true;
  vi.advanceTimersByTime(2_000);
  await expect(reading.mayGoOn()).rejects.toThrow("away");
  isAway = false;
  expect(await reading.mayGoOn()).toBe(true);
});

test("goOn throws for who was put out", async () => {
  const ada = await registerCaller();
  const reading = await beginReading(ada.principal, "audit.read", 0);
  await goOn(reading);
  await auth.logout({}, ada);
  await expect(goOn(reading)).rejects.toThrow("may not go on");
});

import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { charging, chargeAfterwards } from "../charges";
import { Limits, limits } from "../limits";

const call: { current: unknown } = vi.hoisted(() => ({ current: undefined }));
vi.mock("~encore/auth", () => ({ getAuthData: () => ({ userID: "0193a1c0-0000-7000-8000-000000000001" }) }));
vi.mock("../../telemetry/current-call", async (original) => ({
  ...(await original<object>()),
  currentCall: () => call.current,
}));

let small: Limits;
beforeEach(() => {
  call.current = { api: {}, method: "POST", path: "/x", header: () => undefined };
  small = new Limits({ scale: 0.01 }); // ingest: sixty for a user
  vi.spyOn(limits, "consumeCaller").mockImplementation(small.consumeCaller.bind(small));
  vi.spyOn(limits, "settleCaller").mockImplementation(small.settleCaller.bind(small));
});
afterEach(() => vi.restoreAllMocks());

const refused = { details: { reason: "rate_limited", limit: { name: "ingest.user" } } };

test("work that costs more than is left does not begin", async () => {
  const work = vi.fn(async () => "done");
  expect(await charging("ingest", 50, work)).toBe("done");
  await expect(charging("ingest", 11, work)).rejects.toMatchObject(refused);
  expect(work).toHaveBeenCalledTimes(1);
  await charging("ingest", 10, work);
});

test("work that fails costs nothing", async () => {
  for (let i = 0; i < 3; i++)
    await expect(charging("ingest", 60, () => Promise.reject(new Error("no")))).rejects.toThrow("no");
  await charging("ingest", 60, async () => undefined);
});

test("what is known only afterwards is paid by the next request", async () => {
  await chargeAfterwards("ingest", 70);
  await expect(charging("ingest", 1, async () => undefined)).rejects.toMatchObject(refused);
});

test("outside of a call nobody is charged", async () => {
  call.current = undefined;
  expect(await charging("ingest", 1_000, async () => "job")).toBe("job");
  await chargeAfterwards("ingest", 1_000);
  expect(limits.consumeCaller).not.toHaveBeenCalled();
  expect(limits.settleCaller).not.toHaveBeenCalled();
});

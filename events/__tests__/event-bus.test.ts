import { describe, expect, it } from "vitest";
import { createEventBus } from "../event-bus";
import { backoffMs } from "../backoff";

const id = "01890000-0000-7000-8000-000000000000";
const registered = { userId: id, organisationId: id, organisationName: "Acme" };

describe("the in-process bus", () => {
  it("calls every listener of the event, and none of those that have left", async () => {
    const bus = createEventBus();
    const heard: string[] = [];
    bus.subscribe("auth.user.registered@1", ({ organisationName }) => void heard.push(`first ${organisationName}`));
    const leave = bus.subscribe("auth.user.registered@1", () => void heard.push("second"));
    await bus.publish("auth.user.registered@1", registered);
    leave();
    await bus.publish("auth.user.registered@1", registered);
    expect(heard).toEqual(["first Acme", "second", "first Acme"]);
  });

  it("lets no listener's failure reach the publisher or another listener", async () => {
    const bus = createEventBus();
    let heard = 0;
    bus.subscribe("auth.user.registered@1", () => Promise.reject(new Error("late")));
    bus.subscribe("auth.user.registered@1", () => {
      throw new Error("early");
    });
    bus.subscribe("auth.user.registered@1", () => void heard++);
    await bus.publish("auth.user.registered@1", registered);
    expect(heard).toBe(1);
  });

  it("refuses a payload that does not fit", async () => {
    await expect(createEventBus().publish("auth.user.registered@1", { ...registered, userId: "me" })).rejects.toThrow();
  });
});

describe("backoff", () => {
  it("doubles up to its ceiling, and is shortened by at most half", () => {
    const delays = (random: number) =>
      [1, 2, 3, 10, 1000].map((attempt) => backoffMs({ firstMs: 100, maxMs: 1_000 }, attempt, () => random));
    expect(delays(1)).toEqual([100, 200, 400, 1_000, 1_000]);
    expect(delays(0)).toEqual([50, 100, 200, 500, 500]);
  });
});

import { expect, test } from "vitest";
import { parseConfig } from "../schema";

test("queues have the slots that the requirements name, unless the environment says otherwise", () => {
  const required = {
    email: 5,
    push: 10,
    sms: 3,
    notification: 5,
    swarm: 10,
    run: 1_000,
    sandbox: 5,
    import: 2,
    export: 2,
  };
  expect(parseConfig({}).queues.set).toEqual(required);
  expect(parseConfig({ QUEUES_SET: "run=50, sms=1" }).queues.set).toEqual({ ...required, run: 50, sms: 1 });
});

import { describe, expect, it } from "vitest";
import { requireAtStart, StartError } from "../start-check";

const missing = (text: string) => (): void => {
  throw new Error(text);
};

describe("what a service cannot do without", () => {
  it("is named with all that is missing, and what to do, before anything runs", () => {
    const start = (): void =>
      requireAtStart("auth", {
        "secret MasterKey": missing("is not set: set it to a random one"),
        "secret Other": () => undefined,
        "secret Third": missing("is too short"),
      });
    expect(start).toThrow(StartError);
    expect(start).toThrow(
      "the service auth cannot start without:\n  secret MasterKey: is not set: set it to a random one\n  secret Third: is too short",
    );
  });

  it("lets a service start that lacks nothing", () => {
    expect(() => requireAtStart("auth", { "secret MasterKey": () => undefined })).not.toThrow();
  });
});

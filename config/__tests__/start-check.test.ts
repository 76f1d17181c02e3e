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

  it("is told of by whatever a check throws", () => {
    const thrown = (): void => {
      throw "not an error"; // eslint-disable-line @typescript-eslint/only-throw-error -- what a library may do
    };
    expect(() => requireAtStart("auth", { "secret MasterKey": thrown })).toThrow("its check threw 'not an error'");
  });

  it("lets a service start that lacks nothing", () => {
    expect(() => requireAtStart("auth", { "secret MasterKey": () => undefined })).not.toThrow();
  });
});

import { describe, expect, test } from "vitest";
import { Flags } from "../flags";

describe("flags", () => {
  test("have their default when nobody says otherwise", () => {
    const flags = new Flags({});
    expect(flags.isOn("docsPage")).toBe(true);
    expect(flags.tier("sqlSpans")).toBe("text");
  });

  test("take local settings as text", () => {
    const flags = new Flags({ docsPage: "false", sqlSpans: "names" });
    expect(flags.isOn("docsPage")).toBe(false);
    expect(flags.tier("sqlSpans")).toBe("names");
    expect(new Flags({ docsPage: "1" }).isOn("docsPage")).toBe(true);
  });

  test("a remote override wins over the local setting, until it is removed", () => {
    const flags = new Flags({ docsPage: "false" });
    const remove = flags.overrideRemotely((name) => (name === "docsPage" ? true : undefined));
    expect(flags.isOn("docsPage")).toBe(true);
    expect(flags.tier("sqlSpans")).toBe("text");
    remove();
    expect(flags.isOn("docsPage")).toBe(false);
  });

  test.each([
    ["a value that is no tier", "everything"],
    ["a value of another type", 7],
    ["null", null],
  ])("%s from afar is passed over", (_what, value) => {
    const flags = new Flags({ sqlSpans: "off" });
    flags.overrideRemotely(() => value);
    expect(flags.tier("sqlSpans")).toBe("off");
  });

  test("a remote source that throws is passed over", () => {
    const flags = new Flags({});
    flags.overrideRemotely(() => {
      throw new Error("the flag service is away");
    });
    expect(flags.isOn("docsPage")).toBe(true);
  });

  test("a local setting that is not allowed is passed over", () => {
    expect(new Flags({ docsPage: "perhaps" }).isOn("docsPage")).toBe(true);
  });
});

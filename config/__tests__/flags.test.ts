import { describe, expect, test } from "vitest";
import { Flags, organisationFlags } from "../flags";

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

describe("a flag of one organisation", () => {
  const [acme, globex] = ["0190f2b0-0000-7000-8000-000000000001", "0190f2b0-0000-7000-8000-000000000002"];
  const overridden = (settings: Record<string, string>, values: Record<string, unknown>): Flags => {
    const flags = new Flags(settings);
    flags.overrideForOrganisations((tenantId, name) => (tenantId === acme ? values[name] : undefined));
    return flags;
  };

  test("is what was set for it, before all that is set for everybody; others have the latter", () => {
    const flags = overridden({ sqlSpans: "names", ownProvider: "true" }, { sqlSpans: "off", ownProvider: "false" });
    flags.overrideRemotely((name) => (name === "ownProvider" ? true : undefined));
    expect([flags.tier("sqlSpans", acme), flags.isOn("ownProvider", acme)]).toEqual(["off", false]);
    for (const tenantId of [globex, undefined])
      expect([flags.tier("sqlSpans", tenantId), flags.isOn("ownProvider", tenantId)]).toEqual(["names", true]);
    expect([flags.tier("sqlSpans"), flags.isOn("ownProvider")]).toEqual(["names", true]);
    expect(flags.allOf(acme)).toEqual({ ownProvider: false, sqlSpans: "off" });
    expect(flags.allOf(globex)).toEqual({ ownProvider: true, sqlSpans: "names" });
  });

  test("is what everybody has where its own value is none that the app knows", () => {
    const flags = overridden({ sqlSpans: "names" }, { sqlSpans: "everything", ownProvider: "perhaps" });
    expect(flags.allOf(acme)).toEqual({ ownProvider: true, sqlSpans: "names" });
  });

  test("has its declared default where nobody knows its overrides: neither that of before nor what everybody has", () => {
    const flags = new Flags({ sqlSpans: "off", ownProvider: "false" });
    expect(flags.allOf(acme)).toEqual({ ownProvider: true, sqlSpans: "text" });
    const remove = flags.overrideForOrganisations(() => "names");
    expect(flags.tier("sqlSpans", acme)).toBe("names");
    remove();
    expect(flags.tier("sqlSpans", acme)).toBe("text");
    flags.overrideForOrganisations(() => {
      throw new Error("the database is away");
    });
    expect(flags.allOf(acme)).toEqual({ ownProvider: true, sqlSpans: "text" });
    expect(flags.tier("sqlSpans")).toBe("off");
  });

  test("is listed with what it can be set to; flags of the installation alone are not", () => {
    expect(organisationFlags.map(({ name, allowed, default: fallback }) => [name, allowed, fallback])).toEqual([
      ["ownProvider", ["true", "false"], "true"],
      ["sqlSpans", ["off", "names", "text"], "text"],
    ]);
    const flags = new Flags({});
    for (const { name, allowed } of organisationFlags)
      for (const value of allowed) {
        flags.overrideForOrganisations((_tenantId, asked) => (asked === name ? value : undefined));
        expect(String(flags.allOf(acme)[name])).toBe(value);
      }
  });
});

// Signatures between the processes of one app: the official value for a known request, and everything that must not pass.
import { expect, test } from "vitest";
import { problemOf, sign } from "../service-auth";

const key = { id: 123, key: "secret data" };
const scope = { appId: "app", environment: "env" };
const at = 1_234_567_890_000;
const lines = [
  "x-encore-meta-version",
  "1",
  "x-encore-meta-userid",
  "ann",
  "x-encore-meta-caller",
  "api:a.b",
  "x-correlation-id",
  "c",
];

/** The value of a header in a list of lines, changed. */
function changed(all: readonly string[], name: string, change: (value: string) => string): string[] {
  return all.map((text, i) => (i % 2 === 1 && all[i - 1] === name ? change(text) : text));
}

test("an empty request is signed as the official runtime signs it", () => {
  // Known answer of encoredev/encore, runtimes/core/src/api/reqauth/svcauth.rs, test_encore_auth.
  expect(sign([], key, scope, at)).toEqual([
    "x-encore-meta-svc-auth",
    'ENCORE1-HMAC-SHA3-256 cred="20090213/app/env/123", op=f3c70a419394ce9d56efafad2208154b92c8596d7396b3a2b4ea7fd925d28dc2, sig=fc0c88b47c13d999353ecc8681d91d9c03209a1f05583b92d84e429fedfe387a',
    "x-encore-meta-date",
    "Fri, 13 Feb 2009 23:31:30 GMT",
    "x-encore-meta-svc-auth-method",
    "encore-auth",
  ]);
});

test("a signature holds for two minutes, in any order of headers, with any of the keys", () => {
  const signed = [...lines, ...sign(lines, key, scope, at)];
  expect(problemOf(signed, [{ id: 1, key: "old" }, key], at + 119_000)).toBeNull();
  expect(problemOf(signed, [key], at - 119_000)).toBeNull();
  const reversed = Array.from({ length: signed.length / 2 }, (_, i) =>
    signed.slice(signed.length - 2 * i - 2, signed.length - 2 * i),
  ).flat();
  expect(problemOf(reversed, [key], at)).toBeNull();
  expect(problemOf([...signed, "traceparent", "changed on the way"], [key], at)).toBeNull();
  expect(problemOf(signed, [key], at + 121_000)).toBe("date skew");
});

test("names and data beyond ASCII are signed as they travel", () => {
  const wire = ["x-encore-meta-userid", Buffer.from("änn €", "utf8").toString("latin1")];
  expect(problemOf([...wire, ...sign(wire, key, scope, at)], [key], at)).toBeNull();
});

test("nothing that was changed, added or made up is believed", () => {
  const signed = [...lines, ...sign(lines, key, scope, at)];
  const problem = (all: readonly string[], keys = [key]): string | null => problemOf(all, keys, at);
  expect(problem(changed(signed, "x-encore-meta-userid", () => "eve"))).toBe("signature mismatch");
  expect(problem(changed(signed, "x-encore-meta-caller", () => "app:x"))).toBe("signature mismatch");
  expect(problem([...signed, "x-encore-meta-authdata", "{}"])).toBe("signature mismatch");
  expect(problem([...signed, "x-encore-meta-userid", "eve"])).toBe("signature mismatch");
  expect(problem(signed.slice(2))).toBe("signature mismatch");
  expect(problem(signed, [{ id: 123, key: "other" }])).toBe("signature mismatch");
  expect(problem(signed, [{ id: 124, key: key.key }])).toBe("unknown key");
  expect(problem(signed, [])).toBe("unknown key");
  expect(problem(changed(signed, "x-encore-meta-svc-auth", (text) => text.replace(/sig=./, "sig=!")))).toMatch(
    /^invalid header/,
  );
  expect(problem(changed(signed, "x-encore-meta-svc-auth", (text) => text.replace("/env/", "/prod/")))).toBe(
    "signature mismatch",
  );
  expect(problem(changed(signed, "x-encore-meta-svc-auth", () => "Basic x"))).toBe(
    "invalid header: invalid auth scheme",
  );
  expect(problem(changed(signed, "x-encore-meta-date", () => "2009-02-13T23:31:30Z"))).toBe(
    "invalid header: invalid date header",
  );
  expect(problem(changed(signed, "x-encore-meta-date", (text) => text.replace("13 Feb", "14 Feb")))).toBe(
    "invalid header: invalid date header",
  );
  expect(problem(lines)).toBe("no authorization header");
});

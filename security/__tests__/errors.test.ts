import { APIError, ErrCode } from "encore.dev/api";
import { z } from "zod";
import { afterAll, beforeEach, describe, expect, test, vi } from "vitest";
import { withinTime } from "../../telemetry/time-limit";
import { commonErrors } from "../common-errors";
import { catalogueOf, defineErrors, internalsOf, reasonOf, statusOfClass } from "../errors";
import { parseInput } from "../input";
import { httpStatusOf, normaliseError } from "../normalise";
import { outcome } from "./guarding";

const kept = await vi.hoisted(async () => (await import("./kept-lines")).keepLines());
const logged = (): unknown[] => kept.lines.map((line): unknown => JSON.parse(line));
beforeEach(() => void (kept.lines.length = 0));
afterAll(kept.stop);

const errors = defineErrors("test", { document_missing: { class: "not_found", text: "there is no such document" } });

/** Everything that Encore would put on the wire: code, message and details, plus a cause's message (H-102). */
const wire = (error: APIError): string =>
  JSON.stringify([error.code, error.message, error.details, (error.cause as Error | undefined)?.message]);

describe("an error of a catalogue", () => {
  test("shows its code, its text and what the caller may know, and keeps the rest apart", () => {
    const cause = new Error("row 7 of tenant 9 is locked");
    const error = errors.document_missing({
      internal: "looked in archive",
      cause,
      fields: { id: "is unknown" },
      retryAfterSeconds: 3,
    });
    expect(error).toBeInstanceOf(APIError);
    expect([error.code, error.message]).toEqual(["not_found", "there is no such document"]);
    expect(error.details).toEqual({
      reason: "document_missing",
      requestId: "",
      fields: { id: "is unknown" },
      retryAfterSeconds: 3,
    });
    expect(internalsOf(error)).toEqual({ service: "test", internal: "looked in archive", cause });
    expect(wire(error)).not.toMatch(/archive|tenant 9/);
    expect(errors.document_missing().details).toStrictEqual({ reason: "document_missing", requestId: "" });
    expect(internalsOf(errors.document_missing())).toStrictEqual({ service: "test" });
    for (const other of [null, undefined, "x", new Error("x")]) expect(internalsOf(other)).toBeUndefined();
  });

  test("the catalogue can be read back, and codes are lower_snake", () => {
    expect(catalogueOf(errors)).toMatchObject({
      service: "test",
      entries: { document_missing: { class: "not_found" } },
    });
    for (const other of [{}, null, undefined, "errors"]) expect(catalogueOf(other)).toBeUndefined();
    expect(Object.keys(defineErrors("test", { a1_b2: { class: "internal", text: "x" } }))).toEqual(["a1_b2"]);
    for (const code of ["DocumentMissing", "document-missing", "1st", "a__b", ""]) {
      expect(() => defineErrors("test", { [code]: { class: "internal", text: "x" } })).toThrow(/not lower_snake/);
    }
  });

  test("reasonOf reads the code, of catalogue errors only", () => {
    expect([
      reasonOf(errors.document_missing()),
      reasonOf(APIError.notFound("x")),
      reasonOf(new Error("x")),
      reasonOf(null),
      reasonOf(new APIError(ErrCode.NotFound, "x", undefined, { reason: 7 })),
    ]).toEqual(["document_missing", undefined, undefined, undefined, undefined]);
  });
});

const secret = "password=hunter2 at /srv/app/store.ts";
const withCode = (code: string): Error => Object.assign(new Error(secret), { code });

describe("normalisation", () => {
  test.each<[string, unknown]>([
    ["an Error", new Error(secret)],
    ["an Error with a cause", new TypeError("x", { cause: new Error(secret) })],
    ["a string", secret],
    ["null", null],
    ["undefined", undefined],
    ["a number", 7],
    ["a plain object", { message: secret, code: "not_found" }],
    ["a function", () => secret],
    ["an error whose causes form a ring", ring()],
    ["an internal APIError", APIError.internal(secret)],
    ["an APIError of unknown class", APIError.unknown(secret)],
    ["an APIError with a class that does not exist", new APIError("teapot" as ErrCode, secret)],
    ["a unique violation nobody handled", withCode("23505")],
    ["an APIError that tells of lost data", APIError.dataLoss(secret)],
    ["an error whose cause lies too deep", deep(6)],
    ["an error whose code, kind and text are none", { code: 8006, kind: 7, message: 57014, cause: 1 }],
    ["an error that quotes a time-out", new Error("he said: Query read timeout")],
  ])("%s becomes internal_error, shows nothing of itself and keeps its cause", (_what, thrown) => {
    const error = normaliseError(thrown);
    expect(internalsOf(error)?.cause).toBe(thrown);
    expect([error.code, reasonOf(error), httpStatusOf(error)]).toEqual(["internal", "internal_error", 500]);
    expect(wire(error)).not.toMatch(/hunter2|store\.ts/);
  });

  test.each([
    ["08006", "service_unavailable", 503],
    ["53300", "service_unavailable", 503],
    ["57P01", "service_unavailable", 503],
    ["ECONNREFUSED", "service_unavailable", 503],
    ["ENOTFOUND", "service_unavailable", 503],
    ["57014", "request_timeout", 503],
    ["55P03", "request_timeout", 503],
    ["ETIMEDOUT", "request_timeout", 503],
    ["22P02", "internal_error", 500],
    ["22007", "internal_error", 500],
    ["22021", "invalid_request", 400],
    ["22003", "invalid_request", 400],
    ["40001", "conflict_retry", 409],
    ["40P01", "conflict_retry", 409],
  ])("code %s of the database or network means %s (%i)", (code, reason, status) => {
    for (const thrown of [withCode(code), new Error("statement failed", { cause: withCode(code) })]) {
      const error = normaliseError(thrown);
      expect([reasonOf(error), httpStatusOf(error)]).toEqual([reason, status]);
      expect(internalsOf(error)?.cause).toBe(thrown);
      if (status === 400) expect(internalsOf(error)?.internal).toBe(`SQLSTATE ${code}`);
      if (status === 503) expect(error.details?.retryAfterSeconds).toBeGreaterThan(0);
      if (status === 400)
        expect(error.details?.fields).toEqual({ "(body)": expect.stringContaining("cannot be stored") });
      expect(wire(error)).not.toContain("hunter2");
    }
  });

  test.each([
    [true, 400],
    [false, 500],
  ])(
    "a number out of range that is a parameter (%s) means %i: what a statement reckons is no mistake of the caller's",
    (isOfParameter, status) => {
      for (const code of ["22003", "22008"])
        expect(httpStatusOf(normaliseError(Object.assign(withCode(code), { isOfParameter })))).toBe(status);
    },
  );

  test("the pool's timeout, an abort by timeout and a limit of our own mean request_timeout", async () => {
    expect(reasonOf(normaliseError(new Error("timeout exceeded when trying to connect")))).toBe("request_timeout");
    expect(reasonOf(normaliseError(new DOMException("The operation was aborted due to timeout", "TimeoutError")))).toBe(
      "request_timeout",
    );
    const late: unknown = await withinTime(new Promise(() => undefined), 1).catch((error: unknown) => error);
    expect(reasonOf(normaliseError(late))).toBe("request_timeout");
  });

  test("a database error without a code counts by its kind", () => {
    expect(reasonOf(normaliseError(Object.assign(new Error("Connection terminated"), { kind: "unavailable" })))).toBe(
      "service_unavailable",
    );
    expect(reasonOf(normaliseError(Object.assign(new Error("x"), { kind: "misuse" })))).toBe("internal_error");
  });

  test("an error of a catalogue passes as it is, whatever its class and cause", () => {
    const own = defineErrors("test", { store_broken: { class: "internal", text: "the store is broken" } });
    for (const error of [errors.document_missing(), own.store_broken({ cause: new Error(secret) })])
      expect(normaliseError(error)).toBe(error);
  });

  test("an error that claims a reason but brings a cause is not believed to be of a catalogue", () => {
    const error = normaliseError(
      new APIError(ErrCode.NotFound, "there is no such document", new Error(secret), { reason: "document_missing" }),
    );
    expect(error.details).toEqual({ reason: "document_missing", requestId: "" });
    expect(wire(error)).not.toContain("hunter2");
  });

  test("an error that came back through a call keeps the reason of whoever made it", () => {
    const returned = new APIError(ErrCode.NotFound, "there is no such document", undefined, {
      reason: "document_missing",
      requestId: "abc",
    });
    expect(normaliseError(returned).details).toEqual({ reason: "document_missing", requestId: "abc" });
  });

  test("an APIError without a reason gets its class as one, and loses its cause's text", () => {
    const error = normaliseError(APIError.invalidArgument("the name is too long", new Error(secret)));
    expect([error.code, error.message, error.details]).toEqual([
      "invalid_argument",
      "the name is too long",
      { reason: "invalid_argument", requestId: "" },
    ]);
    expect(wire(error)).not.toContain("hunter2");
  });

  test("logs what the caller is not shown: as an error what is our fault, as a warning what passes by itself", () => {
    normaliseError(withCode("08006"));
    normaliseError(withCode("40001"));
    normaliseError(new Error("a bug"));
    normaliseError(7);
    normaliseError(APIError.internal("a bug too"));
    expect(logged()).toMatchObject([
      {
        level: "error",
        component: "errors",
        message: "an endpoint failed on a part it depends on",
        reason: "service_unavailable",
        err: { code: "08006" },
      },
      { level: "warn", message: "an endpoint failed on a part it depends on", reason: "conflict_retry" },
      { level: "error", message: "an endpoint threw an error that no catalogue knows", err: { message: "a bug" } },
      { level: "error", err: { message: "thrown: number" } },
      { level: "error", message: "an endpoint threw an internal error", err: { message: "a bug too" } },
    ]);
  });

  test("logs of a catalogue's errors those that are our fault, with what only we may read", () => {
    const own = defineErrors("test", {
      broken: { class: "internal", text: "the store is broken" },
      away: { class: "unavailable", text: "the store is away" },
    });
    normaliseError(own.broken({ cause: new Error("disk"), internal: "shard 3" }));
    normaliseError(own.away());
    normaliseError(errors.document_missing({ internal: "looked in archive" }));
    normaliseError(APIError.notFound("there is none"));
    expect(logged()).toMatchObject([
      {
        level: "error",
        message: "an endpoint answered an error of ours",
        reason: "broken",
        internal: "shard 3",
        err: { message: "disk" },
      },
      { level: "error", reason: "away" },
    ]);
    expect(kept.lines).toHaveLength(2);
  });

  test("every class of ours is one of Encore's codes", () => {
    expect(Object.keys(statusOfClass).sort()).toEqual(
      Object.values(ErrCode)
        .filter((code) => code !== ErrCode.OK)
        .sort(),
    );
  });
});

/** The network's error below so many others. */
function deep(levels: number): Error {
  return levels === 0 ? withCode("ECONNREFUSED") : new Error(secret, { cause: deep(levels - 1) });
}

function ring(): Error {
  const one = new Error(secret);
  one.cause = new Error("two", { cause: one });
  return one;
}

describe("parseInput", () => {
  const schema = z.object({ name: z.string().max(3), tags: z.array(z.string()) });

  test("gives the parsed value", () => {
    expect(parseInput(schema, { name: "abc", tags: [] })).toEqual({ name: "abc", tags: [] });
  });

  test("names every wrong field and shows none of its value", () => {
    let thrown: unknown;
    try {
      parseInput(schema, { name: "hunter2", tags: ["a", 7] });
    } catch (error) {
      thrown = error;
    }
    expect(reasonOf(thrown)).toBe("invalid_request");
    expect(Object.keys((thrown as APIError).details?.fields as object)).toEqual(["name", "tags.1"]);
    expect(wire(thrown as APIError)).not.toContain("hunter2");
  });

  const fieldsOfInput = (of: z.ZodType, value: unknown): Record<string, string> => {
    try {
      parseInput(of, value);
    } catch (error) {
      return (error as APIError).details?.fields as Record<string, string>;
    }
    return {};
  };

  test("says of each field the first that is wrong, of the whole what no field is at fault for, and no more than twenty", () => {
    const twice = z.object({ name: z.string().min(5, "is too short").regex(/^x/, "is not x") });
    expect(fieldsOfInput(twice, { name: "abc" })).toEqual({ name: "is too short" });
    expect(Object.keys(fieldsOfInput(twice, "text"))).toEqual(["(body)"]);
    expect(Object.keys(fieldsOfInput(z.array(z.number()), Array(100).fill("x")))).toHaveLength(20);
  });

  // Some of zod's messages quote keys of the input.
  test("shows of a quoted key no control characters, and no more than two hundred characters", () => {
    const strict = z.strictObject({});
    expect(fieldsOfInput(strict, { "a\u001b[31m\nb": 1 })["(body)"]).toMatch(/"a \[31m b"/);
    expect(fieldsOfInput(strict, { ["k".repeat(5000)]: 1 })["(body)"]).toHaveLength(200);
  });

  test("survives any input", () => {
    for (const value of [null, undefined, 7, "x", [], { name: { toString: null } }, Object.create(null)]) {
      expect(() => parseInput(schema, value)).toThrow(APIError);
    }
    expect(reasonOf(commonErrors.invalid_request())).toBe("invalid_request");
  });
});

test("a refused write leaves a line with its status and reason, and a refused read none", async () => {
  for (const method of ["GET", "POST"]) await outcome({ tags: ["public:"], method });
  const lines = kept.lines.map((line) => JSON.parse(line) as object).filter((line) => "status" in line);
  expect(lines).toMatchObject([{ message: "request", method: "POST", status: 403, reason: "endpoint_closed" }]);
  expect(lines).toHaveLength(1);
});

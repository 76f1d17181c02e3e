import { expect, test } from "vitest";
import { extraHeaders } from "../result";

const read = (extra: Record<string, string | string[]>) => [...(extraHeaders({ extraHeaders: extra }) ?? [])];

test("middleware's headers that came before are read once, and any change of them anew (H-88)", () => {
  const set = { "X-One": "1", "x-two": "2" };
  const first = extraHeaders({ extraHeaders: { ...set } });
  expect(extraHeaders({ extraHeaders: { ...set } })).toBe(first);
  expect(read({ "X-One": "1", "x-two": "3" })).toEqual([
    ["x-one", ["1"]],
    ["x-two", ["3"]],
  ]);
  expect(read({ "X-One": "1" })).toEqual([["x-one", ["1"]]]);
  expect(read({ ...set, "x-three": "3" })).toHaveLength(3);
  expect(read({ "x-two": "2", "X-One": "1" }).map(([name]) => name)).toEqual(["x-two", "x-one"]);
});

test("a list that changes after its answer changes no later one", () => {
  const list = ["a"];
  read({ "x-list": list });
  list.push("b");
  expect(read({ "x-list": list })).toEqual([["x-list", ["a", "b"]]]);
});

test("a set that cannot travel is refused every time", () => {
  for (let i = 0; i < 2; i++) expect(() => read({ "x-bad": "a\nb" })).toThrow("failed to parse header value");
});

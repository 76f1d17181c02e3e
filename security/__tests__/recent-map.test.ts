import { describe, expect, test } from "vitest";
import { RecentMap } from "../recent-map";

describe("a map of what was used lately", () => {
  test("never holds more than its maximum, whatever is put in", () => {
    const map = new RecentMap<number>(100);
    for (let i = 0; i < 1000; i++) {
      map.set(`k${i}`, i);
      expect(map.size).toBeLessThanOrEqual(100);
    }
    expect(map.size).toBeGreaterThanOrEqual(50);
    expect(map.get("k999")).toBe(999);
    expect(map.get("k0")).toBeUndefined();
  });

  test("keeps what is asked for again and again", () => {
    const map = new RecentMap<string>(100);
    map.set("mine", "kept");
    for (let i = 0; i < 1000; i++) {
      map.set(`other${i}`, "x");
      if (i % 40 === 0) expect(map.get("mine"), `after ${i}`).toBe("kept");
    }
  });

  test("has one value a key, and none after deleting it", () => {
    const map = new RecentMap<number>(4);
    for (const value of [1, 2]) map.set("a", value);
    map.set("b", 1);
    map.set("c", 1);
    map.set("a", 3);
    expect(map.get("a")).toBe(3);
    expect(map.delete("a")).toBe(true);
    expect(map.get("a")).toBeUndefined();
    expect(map.delete("a")).toBe(false);
  });

  test("keeps what must stay through any number of others, within its bound", () => {
    const map = new RecentMap<{ shut: boolean }>(100, { mustStay: ({ shut }) => shut });
    for (let i = 0; i < 10; i++) map.set(`shut${i}`, { shut: true });
    for (let i = 0; i < 1000; i++) map.set(`open${i}`, { shut: false });
    for (let i = 0; i < 10; i++) expect(map.get(`shut${i}`)).toEqual({ shut: true });
    for (let i = 0; i < 1000; i++) map.set(`more${i}`, { shut: true });
    expect(map.size).toBeLessThanOrEqual(100);
  });

  test("tells of each value that it forgets, once, and of none that stays or is deleted", () => {
    const left: string[] = [];
    const map = new RecentMap<boolean>(4, { mustStay: (stays) => stays, onLeave: (key) => left.push(key) });
    map.set("stays", true);
    map.set("deleted", false);
    map.delete("deleted");
    for (let i = 0; i < 9; i++) map.set(`k${i}`, false);
    expect(left).not.toContain("stays");
    expect(left).not.toContain("deleted");
    expect(new Set(left).size).toBe(left.length);
    expect(left.length + map.size).toBe(10);
  });
});

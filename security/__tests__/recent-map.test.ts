import { describe, expect, test } from "vitest";
import { RecentMap } from "../recent-map";

describe("a map of what was used lately", () => {
  test("never holds more than its maximum, whatever is put in", () => {
    const map = new RecentMap<number>(100);
    for (let i = 0; i < 1000; i++) {
      map.set(`k${i}`, i);
      expect(map.size).toBeLessThanOrEqual(100);
    }
    expect(map.size).toBeGreaterThanOrEqual(33);
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
    const map = new RecentMap<boolean>(12, { mustStay: (stays) => stays, onLeave: (key) => left.push(key) });
    map.set("stays", true);
    map.set("deleted", false);
    map.delete("deleted");
    for (let i = 0; i < 48; i++) map.set(`k${i}`, false);
    expect(left).not.toContain("stays");
    expect(left).not.toContain("deleted");
    expect(new Set(left).size).toBe(left.length);
    expect(left.length + map.size).toBe(49);
  });

  test("forgets a few at a time, so that nobody waits for thousands to be looked at", () => {
    let looks = 0;
    let left = 0;
    const mustStay = (stays: boolean): boolean => (looks++, stays);
    const map = new RecentMap<boolean>(30_000, { mustStay, onLeave: () => left++ });
    const most = { looks: 0, size: 0 };
    for (let i = 0; i < 100_000; i++) {
      const before = looks;
      map.set(`${i}`, i % 3 === 0);
      most.looks = Math.max(most.looks, looks - before);
      most.size = Math.max(most.size, map.size);
    }
    expect(most.looks).toBeLessThanOrEqual(4);
    expect(most.size).toBeLessThanOrEqual(30_000);
    expect(left + map.size).toBe(100_000);
  });

  test("finds what is about to be forgotten, and keeps it then", () => {
    const left: string[] = [];
    const map = new RecentMap<number>(30, { onLeave: (key) => left.push(key) });
    for (let i = 0; i < 20; i++) map.set(`${i}`, i);
    // The first generation goes from here on, four at a time.
    map.set("20", 20);
    expect([[...left], map.get("9"), map.get("0")]).toEqual([["0", "1", "2", "3"], 9, undefined]);
    for (let i = 21; i < 29; i++) map.set(`${i}`, i);
    expect([left.includes("9"), map.get("9"), map.delete("9"), map.get("9")]).toEqual([false, 9, true, undefined]);
  });
});

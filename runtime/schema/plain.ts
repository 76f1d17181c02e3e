// Decoded values made into plain JSON data (contract X-62) where they stand, at a pace: for values that nobody else has.
import { formatDateTime } from "./datetime";
import { isDecimal } from "./decimal";
import { put } from "./json-syntax";
import type { Pace, Paused } from "./pace";

type Container = Record<string | number, unknown>;

interface Level {
  container: Container;
  /** Undefined for a list. */
  keys: readonly string[] | undefined;
  next: number;
}

function levelOf(container: object): Level {
  const keys = Array.isArray(container) ? undefined : Object.keys(container);
  return { container: container as Container, keys, next: 0 };
}

/** A function that makes `root` plain; PAUSED where its pace says so, and to be called again. */
export function plainMaker<T extends object>(root: T): (pace: Pace) => T | Paused {
  const levels = [levelOf(root)];
  return (pace) => {
    if (pace.isResuming) pace.resume();
    for (let level = levels.at(-1); level; level = levels.at(-1)) {
      const { container, keys } = level;
      const key = keys ? keys[level.next++] : level.next++;
      if (key === undefined || (!keys && level.next > (container.length as number))) {
        levels.pop();
        continue;
      }
      const value = container[key];
      if (typeof value === "object" && value !== null) {
        if (value instanceof Date) put(container, key as string, formatDateTime(value));
        else if (isDecimal(value)) put(container, key as string, value.value);
        else levels.push(levelOf(value));
      }
      if (pace.isDue()) return pace.pause(undefined);
    }
    return root;
  };
}

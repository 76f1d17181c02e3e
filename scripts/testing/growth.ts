// Whether the time that work takes is in proportion to what it works on. A slow machine takes longer for everything, a busy one
// now and then: neither makes four times the work take ten times as long, which quadratic work does (sixteen times), and
// none is asked for fewer milliseconds than it has. So no test says how fast a machine must be.
import { readFileSync } from "node:fs";

/** Milliseconds that this thread has run. Without Linux' account of it: those of the whole process. */
export function threadMs(): number {
  try {
    return Number(readFileSync("/proc/thread-self/schedstat", "utf8").split(" ")[0]) / 1e6;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e3;
  }
}

const TRIES = 3;
/** What takes so long is tried once: nothing that comes and goes is a large part of it, and three tries took a minute. */
const LONG_MS = 2_000;

/** The least that `act` takes of this thread: compiling, collecting garbage and the machine's pauses come and go. Ends at `enoughMs`. */
export async function leastThreadMs(act: () => unknown, enoughMs = 0): Promise<number> {
  let least = Infinity;
  for (let attempt = 0; attempt < TRIES && least > enoughMs; attempt++) {
    const before = threadMs();
    await act();
    least = Math.min(least, threadMs() - before);
    if (least > LONG_MS) break;
  }
  return least;
}

/** From size to size it becomes four times as much; work that takes so many times as long is not linear. */
const STEP = 4;
const GROWTH_MAX = 10;
/** Below that nobody notices, and pauses are most of it. Work that is not linear is far above at the sizes that count. */
const NOTICED_MS = 250;
const SMALLEST = 24;

/**
 * What is wrong with the time that `act` takes for what `make` makes of so many parts; undefined when it is in proportion.
 * Smaller sizes come first, so that work that would never end at the largest is told from one before.
 */
export async function overgrowth<T>(
  size: number,
  make: (size: number) => T,
  act: (made: T) => unknown,
): Promise<string | undefined> {
  const smaller = Math.floor(size / STEP);
  if (smaller >= SMALLEST) {
    const problem = await overgrowth(smaller, make, act);
    if (problem !== undefined) return problem;
  }
  const made = make(size);
  const ms = await leastThreadMs(() => act(made), NOTICED_MS);
  if (ms <= NOTICED_MS) return undefined;
  const madeSmaller = make(smaller);
  const smallerMs = await leastThreadMs(() => act(madeSmaller));
  if (ms <= GROWTH_MAX * smallerMs) return undefined;
  return `${Math.round(ms)} ms for ${size}, ${Math.round(smallerMs)} ms for ${smaller}`;
}

/** What `reference` takes of a thread where the limits of tests were measured. */
const REFERENCE_MS = 10;
const sample = JSON.stringify(Array.from({ length: 20_000 }, (_, n) => ({ n, text: `number ${n}`, all: [n, n + 1] })));
const reference = (): unknown => JSON.stringify(JSON.parse(sample));

/** How many times as long as there this machine takes just now, for work like that of most tests; at least one. */
export async function slowdown(): Promise<number> {
  return Math.max(1, (await leastThreadMs(reference)) / REFERENCE_MS);
}

// What was published, for tests to look at (section 8.5 has nothing like it). Recorded in test mode only, under a
// registered symbol: the test file and the native module are two bundles in one process.

export interface Published {
  id: string;
  message: unknown;
}

const key = Symbol.for("groundwork.published");
const holder = globalThis as { [key]?: Map<string, Published[]> };

const recorded = (): Map<string, Published[]> => (holder[key] ??= new Map<string, Published[]>());

export function recordPublished(topic: string, published: Published): void {
  recorded().set(topic, [...(recorded().get(topic) ?? []), published]);
}

/** Messages that this test file published to `topic`, oldest first, as they were given to `publish`. */
export function publishedMessages(topic: string): readonly Published[] {
  return recorded().get(topic) ?? [];
}

/** Forgets what was published so far. */
export function clearPublished(): void {
  recorded().clear();
}

// What was published, for tests to look at: Encore.ts has nothing like Go's `et.Topic(…).PublishedMessages()` (P-40).
// Recorded in test mode only, under a registered symbol: the test file and the native module are two bundles in one
// process.

export interface Published<Message = unknown> {
  id: string;
  message: Message;
}

/** A topic by its name or as the object itself, which knows the type of its messages. */
type TopicLike<Message> = string | { readonly name: string; publish(message: Message): unknown };

const key = Symbol.for("groundwork.published");
const holder = globalThis as { [key]?: Map<string, Published[]> };

const recorded = (): Map<string, Published[]> => (holder[key] ??= new Map<string, Published[]>());

export function recordPublished(topic: string, published: Published): void {
  recorded().set(topic, [...(recorded().get(topic) ?? []), published]);
}

/** Messages that this test file published to `topic`, oldest first, as they were given to `publish`; failed attempts are none. */
export function publishedMessages<Message = unknown>(topic: TopicLike<Message>): readonly Published<Message>[] {
  const name = typeof topic === "string" ? topic : topic.name;
  return (recorded().get(name) ?? []) as Published<Message>[];
}

/** Forgets what was published so far; every test file begins with nothing. */
export function clearPublished(): void {
  recorded().clear();
}

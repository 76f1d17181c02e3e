// Who is told in this process that a queue has got work: workers that wait for some, and slots that BullMQ's own loop does not fill.
// Whoever has missed it looks by itself, later.
const listeners = new Map<string, Set<() => void>>();

/** Calls the listener when a queue has got work, as far as this process hears of it, until the function it returns is called. */
export function onWork(queueName: string, listener: () => void): () => void {
  const all = listeners.get(queueName) ?? new Set();
  listeners.set(queueName, all.add(listener));
  return () => {
    all.delete(listener);
    if (all.size === 0 && listeners.get(queueName) === all) listeners.delete(queueName);
  };
}

/** Tells all listeners of the queue. */
export function signalWork(queueName: string): void {
  for (const listener of [...(listeners.get(queueName) ?? [])]) listener();
}

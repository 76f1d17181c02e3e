// The end of a queue, the same on every transport. BullMQ removes only one that is paused, and no message that somebody has in hand.
import type { MessageQueue } from "./broker";

export async function obliterate(queue: MessageQueue): Promise<void> {
  try {
    await queue.obliterate({ force: false, count: 5_000 });
  } catch (error) {
    await queue.resume();
    throw error;
  }
}

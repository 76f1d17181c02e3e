// Work that is dear for each of many, as times in zones are: whoever else waits for the event loop has a turn in between.

const AT_ONCE = 10;

/** `one` of each, in order. */
export async function inTurns<A, B>(all: readonly A[], one: (item: A) => B): Promise<B[]> {
  const done: B[] = [];
  for (const item of all) {
    if (done.length > 0 && done.length % AT_ONCE === 0) await new Promise(setImmediate);
    done.push(one(item));
  }
  return done;
}

// A courtesy to an app that knows which of its subscriptions have a use for a message: it may put a function under
// `Symbol.for("groundwork.wanted-by")`, and what it says no to is not put into that subscription's queue. Encore delivers
// to all, so an app must bear what it does not want; without the function, or when it throws, so does this host.

export type WantedBy = (topic: string, subscription: string, message: unknown) => boolean;

const key = Symbol.for("groundwork.wanted-by");

/** Those of the subscriptions that are to get the message. */
export function wantedBy(topic: string, subscriptions: readonly string[], message: unknown): readonly string[] {
  const isWanted = (globalThis as { [key: symbol]: unknown })[key] as WantedBy | undefined;
  if (typeof isWanted !== "function") return subscriptions;
  return subscriptions.filter((subscription) => {
    try {
      return isWanted(topic, subscription, message);
    } catch {
      return true;
    }
  });
}

/** Names of further subscriptions that want the message. */
export type WantedElsewhere = (topic: string, message: unknown) => readonly string[];

const elsewhereKey = Symbol.for("groundwork.wanted-elsewhere");

/**
 * And one that knows which subscriptions other versions of the app have, while two run side by side, may name them: a message that
 * only this process publishes reaches them too. Where subscriptions are infrastructure, as in Encore's clouds, they do anyway.
 */
export function wantedElsewhere(topic: string, message: unknown): readonly string[] {
  const wanted = (globalThis as { [key: symbol]: unknown })[elsewhereKey] as WantedElsewhere | undefined;
  return typeof wanted === "function" ? wanted(topic, message) : [];
}

const consumedKey = Symbol.for("groundwork.consumed-here");

/**
 * And to one that hands messages of its own making to its own subscriptions: how many messages at once this process handles of
 * each subscription that it consumes, by "<topic> <subscription>", while it does.
 */
export function consumedHere(): Map<string, number> {
  const holder = globalThis as { [key: symbol]: unknown };
  return (holder[consumedKey] ??= new Map<string, number>()) as Map<string, number>;
}

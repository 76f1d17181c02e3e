// How much there may be.

/** Browsers of one person in one organisation. */
export const SUBSCRIPTIONS_MAX = 20;

// Breaks `suppressions`, twice: neither says why.
// eslint-disable-next-line no-console
export const log = console.log;
// @ts-expect-error
export const wrong: number = "1";
// eslint-disable-next-line no-console -- the terminal is this file's purpose
export const print = console.log;

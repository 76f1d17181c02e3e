/** A key pattern without empty segments: `/s/:key` is `s/:key`. */
export const keyPattern = (pattern: string): string =>
  pattern
    .split("/")
    .filter((segment) => segment !== "")
    .join("/");

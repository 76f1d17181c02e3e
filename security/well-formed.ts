// Half a character (a lone surrogate) has no encoding: what is stored, sent or compared as UTF-8 has none.

/** With U+FFFD in place of each half. */
export const wellFormed = (text: string): string => Buffer.from(text, "utf8").toString("utf8");

export const isWellFormed = (text: string): boolean => wellFormed(text) === text;

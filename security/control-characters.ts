// What no text of one line holds: characters that nobody sees, and all that ends a line somewhere (U+2028 and U+2029 too). In a
// header or a line of a log it would begin another one (CWE-93, CWE-117); U+0000 cannot be stored.
const CONTROL = /[\p{Cc}\u2028\u2029]/u;
const EACH_CONTROL = /[\p{Cc}\u2028\u2029]/gu;
/** How texts of several lines are set. */
const EACH_BREAK = /[\t\n\r\u2028\u2029]/g;

/** Of a text of one line. */
export const hasControlCharacter = (text: string): boolean => CONTROL.test(text);

/** Of a text that may have several lines. */
export const hasUnseenCharacter = (text: string): boolean => CONTROL.test(text.replace(EACH_BREAK, ""));

/** With blanks instead. */
export const withoutControlCharacters = (text: string): string => text.replace(EACH_CONTROL, " ");

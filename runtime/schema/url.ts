// Whether a text is an address, as the URL Standard reads it.

/** Nobody's host with a user's name is longer; the standard's mapping of names (IDNA) takes the square of their length to do. */
const AUTHORITY_CHARS_MAX = 2_048;
/** Of the schemes whose hosts are names (URL Standard §4.2); others' are only decoded. */
const WITH_NAMES = /^(?:https?|wss?|ftp|file):/i;

export const isUrl = (text: string): boolean => authorityLength(text) <= AUTHORITY_CHARS_MAX && URL.canParse(text);

/** At most so long is what would be read as user, host and port. Tabs and line ends are passed over, wherever they stand. */
function authorityLength(written: string): number {
  if (written.length <= AUTHORITY_CHARS_MAX) return 0;
  const text = written.replace(/[\t\n\r]/g, "");
  let from = 0;
  while (text.charCodeAt(from) <= 0x20) from++;
  if (!WITH_NAMES.test(text.slice(from, from + 8))) return 0;
  from = text.indexOf(":", from) + 1;
  while (text.charAt(from) === "/" || text.charAt(from) === "\\") from++;
  let to = from;
  while (to < text.length && !"/\\?#".includes(text.charAt(to))) to++;
  return to - from;
}

// Lines of CSV (RFC 4180), safe to open where cells may be formulas.
// Source: https://owasp.org/www-community/attacks/CSV_Injection

/** What a cell begins with that some program takes for a formula; of full width too. */
const FORMULA_STARTS = new Set("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20");

/** Where a program that has its cells end at semicolons or tabs, whatever is quoted, would begin one with a formula. */
const INNER_FORMULA_STARTS = /[;\t\r\n](?="*[=+\-@\uff1d\uff0b\uff0d\uff20])/g;

/** A text is quoted, so that nothing in it ends its cell. What could be a formula has an apostrophe before it, which shows it as the text it is. */
function textCell(text: string): string {
  const inner = text.replaceAll(INNER_FORMULA_STARTS, "$&'");
  const safe = FORMULA_STARTS.has(text.slice(0, 1)) ? `'${inner}` : inner;
  return `"${safe.replaceAll('"', '""')}"`;
}

/** What is absent is nothing, beside an empty text, which is `""`. Numbers stand as they are, what has parts as JSON. */
function cell(value: unknown): string {
  if (value === undefined || value === null) return "";
  if (typeof value === "string") return textCell(value);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  return textCell(JSON.stringify(value));
}

export const csvLine = (values: readonly unknown[]): string => `${values.map(cell).join(",")}\r\n`;

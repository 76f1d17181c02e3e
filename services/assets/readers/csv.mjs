// A table as Markdown: a line for each row that says its columns' names, and a heading for each twenty, so that a citation can name
// the rows. The first row is the names.
import { parse } from "csv-parse/sync";
import { decode, Text } from "./refusal.mjs";

const ROWS_A_HEADING = 20;
const CELL_MAX_CHARS = 1_000;

/** Whichever stands in the first line most often. */
function delimiterOf(text) {
  const line = text.slice(0, 10_000).split("\n", 1)[0];
  const counts = [",", ";", "\t"].map((delimiter) => [line.split(delimiter).length, delimiter]);
  return counts.reduce((best, next) => (next[0] > best[0] ? next : best))[1];
}

const shown = (cell) => cell.replace(/\s+/g, " ").trim().slice(0, CELL_MAX_CHARS);

export function read(bytes) {
  const source = decode(bytes);
  const [names = [], ...rows] = parse(source, {
    bom: true,
    delimiter: delimiterOf(source),
    relax_column_count: true,
    relax_quotes: true,
    skip_empty_lines: true,
  });
  const columns = names.map((name, at) => shown(name) || `column ${at + 1}`);
  const text = new Text();
  if (rows.length === 0) text.add(columns.join("; "));
  rows.forEach((row, at) => {
    // As a spreadsheet counts them: the names are the first.
    if (at % ROWS_A_HEADING === 0)
      text.add(`\n## Rows ${at + 2} to ${Math.min(at + ROWS_A_HEADING, rows.length) + 1}\n\n`);
    const cells = row.map((cell, place) => [columns[place] ?? `column ${place + 1}`, shown(cell)]);
    const line = cells
      .filter(([, cell]) => cell !== "")
      .map(([name, cell]) => `${name}: ${cell}`)
      .join("; ");
    if (line !== "") text.add(`- ${line}\n`);
  });
  return text.toString();
}

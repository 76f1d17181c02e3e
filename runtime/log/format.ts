// How a line looks: JSON with sorted keys, the key names of Google's log, or text for a person.
import { levelNames } from "./levels";
import { encodeValue } from "../schema";
import type { Fields } from "./request-fields";

export interface Entry {
  level: number;
  message: string;
  /** Fields of the caller; the ones of `standard` win. */
  user: Fields | undefined;
  standard: Fields;
  error?: string;
  stack?: unknown;
}

export type Format = (entry: Entry, now: Date) => string;

function collect(entry: Entry): Fields {
  const all: Fields = {};
  const user = entry.user;
  if (user) for (const key of Object.keys(user)) if (user[key] !== undefined) all[key] = user[key];
  Object.assign(all, entry.standard);
  if (entry.error !== undefined) all.error = entry.error;
  return all;
}

const typeNames: Record<string, string> = { number: "Number", function: "Function", symbol: "Symbol", object: "Object" };

/** JSON as everywhere on the wire; what has none becomes the name of its type. */
function jsonOf(value: unknown): string {
  try {
    return encodeValue(value);
  } catch {
    return JSON.stringify(typeNames[typeof value] ?? typeof value);
  }
}

function jsonLine(fields: Fields): string {
  let line = "{";
  for (const key of Object.keys(fields).sort()) {
    line += (line.length > 1 ? "," : "") + JSON.stringify(key) + ":" + jsonOf(fields[key]);
  }
  return line + "}\n";
}

export const formatJson: Format = (entry, now) => {
  const fields = collect(entry);
  fields.time = now.toISOString();
  fields.level = levelNames[entry.level];
  fields.message = entry.message;
  if (entry.stack !== undefined) fields.stack = entry.stack;
  return jsonLine(fields);
};

const severities = ["DEFAULT", "DEBUG", "DEBUG", "INFO", "WARNING", "ERROR"];

export const formatGoogle: Format = (entry, now) => {
  const fields = collect(entry);
  fields.timestamp = now.toISOString();
  fields.severity = severities[entry.level];
  fields.message = entry.message;
  if (entry.stack !== undefined) fields.stacktrace = entry.stack;
  return jsonLine(fields);
};

const shortNames = ["", "TRC", "DBG", "INF", "WRN", "ERR"];
const colours = ["", "\u001b[35m", "\u001b[33m", "\u001b[32m", "\u001b[31m", "\u001b[31m"];
const dim = "\u001b[90m";
const plain = "\u001b[0m";

export const formatConsole: Format = (entry, now) => {
  const fields = collect(entry);
  const time = now.toTimeString().slice(0, 8);
  const pairs = Object.keys(fields).sort().map((key) => {
    const value = fields[key];
    return `${dim}${key}=${plain}${typeof value === "string" ? value : jsonOf(value)}`;
  });
  return `${dim}${time}${plain} ${colours[entry.level]}${shortNames[entry.level]}${plain} ${[entry.message, ...pairs].join(" ")}\n`;
};

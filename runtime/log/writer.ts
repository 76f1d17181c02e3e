// From a call of the logger to a line: request fields, error and stack are added here, for the app's lines
// and the host's alike.
import type { PreparedLine } from "../host";
import type { Format } from "./format";
import type { LineShape } from "./prepared";
import { requestFields, type Fields, type LoggedRequest } from "./request-fields";
import { appFrames } from "./stack";
import type { Sink } from "./sink";

export interface Line {
  request?: LoggedRequest | null;
  level: number;
  message: string;
  error?: unknown;
  fields?: Fields;
}

export interface LineWriter {
  write(line: Line): void;
  /** For lines of one shape: writes one of these values. */
  prepare(shape: LineShape): PreparedLine;
}

export interface WriterOptions {
  format: Format;
  sink: Sink;
  appRoot: string;
  /** Whether errors bring their stack. */
  stacks: boolean;
  /** Milliseconds since 1970. */
  now: () => number;
}

const noFields: Fields = {};

/** Anything can be thrown, also what throws when it is read; writing a line about it must not fail, or the process would end. */
function describe(error: unknown, appRoot: string | undefined): { error: string; stack?: unknown } {
  try {
    if (!(error instanceof Error)) return { error: String(error) };
    const frames = appRoot === undefined ? [] : appFrames(error, appRoot);
    return { error: String(error.message), ...(frames.length > 0 ? { stack: frames } : {}) };
  } catch {
    return { error: "an error that cannot be read" };
  }
}

export function createWriter({ format, sink, appRoot, stacks, now }: WriterOptions): LineWriter {
  return {
    write({ request, level, message, error, fields }) {
      const standard = request ? requestFields(request) : noFields;
      if (error === undefined || error === null)
        return sink.write(format.line({ level, message, user: fields, standard }, now()));
      const described = describe(error, stacks ? appRoot : undefined);
      sink.write(format.line({ level, message, user: fields, standard, ...described }, now()));
    },
    prepare(shape) {
      const lineOf = format.prepare(shape);
      return (values) => sink.write(lineOf(values, now()));
    },
  };
}

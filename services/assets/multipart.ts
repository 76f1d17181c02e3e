// The file of a multipart/form-data body (RFC 7578), as it comes: @fastify/busboy reads the form, and its one file is a stream.
// A body that ends before its closing boundary is an error of that stream: half a file never passes for a whole one.
import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { Busboy } from "@fastify/busboy";
import { reasonOf } from "../../security/errors";
import { errors } from "./errors";

export interface FormFile {
  /** As its sender's machine calls it, without folders. */
  fileName: string;
  source: AsyncIterable<Buffer>;
}

const LIMITS = { files: 1, fields: 10, parts: 11, fieldSize: 4_096, fieldNameSize: 200, headerPairs: 20 };

const unreadable = (cause?: unknown): Error => errors.form_unreadable({ cause });

/**
 * Nothing here reads what follows the file, nor a body that is refused: its caller lingers over it.
 * @throws APIError form_unreadable, file_empty when the form has no file
 */
export function fileOfForm(body: Readable, headers: IncomingHttpHeaders): Promise<FormFile> {
  return new Promise((resolve, reject) => {
    const form = openForm(headers, reject);
    if (form === undefined) return;
    let file: Readable | undefined;
    // Of the form, of the body that feeds it, or of its end: whichever comes first.
    const fail = (error: Error): void => {
      file?.destroy(error);
      reject(error);
      body.unpipe(form);
    };
    form.on("file", (_field, stream, fileName) => {
      file = stream;
      // The loop that reads it hears of an error; between two of its turns nobody else does.
      stream.on("error", () => undefined);
      resolve({ fileName: fileName ?? "", source: wholePart(stream, () => body.unpipe(form)) });
    });
    form.on("filesLimit", () => fail(unreadable()));
    form.on("error", (error) => fail(unreadable(error)));
    form.on("finish", () => reject(errors.file_empty()));
    body.on("error", fail);
    body.pipe(form);
  });
}

/** The file's bytes; whatever breaks them is the form's fault. */
async function* wholePart(stream: Readable, done: () => void): AsyncGenerator<Buffer> {
  try {
    yield* stream as AsyncIterable<Buffer>;
  } catch (cause) {
    throw reasonOf(cause) === undefined ? unreadable(cause) : (cause as Error);
  } finally {
    done();
  }
}

function openForm(headers: IncomingHttpHeaders, reject: (error: Error) => void): ReturnType<typeof Busboy> | undefined {
  try {
    const contentType = headers["content-type"] ?? "";
    return Busboy({ headers: { ...headers, "content-type": contentType }, limits: LIMITS });
  } catch (error) {
    reject(unreadable(error));
    return undefined;
  }
}

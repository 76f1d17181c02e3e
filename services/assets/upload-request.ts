// A request that brings a file: as its body, with the name in the query, or as the one file of a form.
import type { IncomingHttpHeaders } from "node:http";
import type { Readable } from "node:stream";
import { chargeAfterwards } from "../../security/charges";
import { reasonOf } from "../../security/errors";
import { parseInput } from "../../security/input";
import type { Principal } from "../../security/principal";
import { errors } from "./errors";
import { uploadInput } from "./input";
import { linger } from "./linger";
import { fileOfForm, type FormFile } from "./multipart";
import { uploadAsset, type UploadedAsset } from "./upload";

export interface UploadRequest extends Readable {
  url?: string | undefined;
  headers: IncomingHttpHeaders;
}

/** Points of the limit `ingest` beside the request's own, by what the bucket and the disk have to do. */
const BYTES_PER_POINT = 65_536;

const lengthOf = (value: string | undefined): number | undefined => {
  const length = Number(value);
  return value !== undefined && Number.isSafeInteger(length) ? length : undefined;
};

/** @throws APIError as uploadAsset; upload_broken_off when the body ends before its end */
export async function receiveUpload(principal: Principal, request: UploadRequest): Promise<UploadedAsset> {
  const { headers } = request;
  const named = queryOf(request).get("name");
  const isForm = /^multipart\//i.test(headers["content-type"] ?? "");
  // Before a byte is read.
  if (!isForm) parseInput(uploadInput, { name: named ?? "" });
  const taken = { bytes: 0 };
  try {
    const form = isForm ? await fileOfForm(request, headers) : bodyOf(request);
    const { name } = parseInput(uploadInput, { name: named ?? form.fileName });
    const bytes = isForm ? undefined : lengthOf(headers["content-length"]);
    return await uploadAsset(principal, { name, source: counted(form.source, taken), bytes });
  } catch (error) {
    // What a catalogue has no word for came out of the body, if that broke.
    if (reasonOf(error) === undefined && request.errored) throw errors.upload_broken_off({ cause: error });
    throw error;
  } finally {
    linger(request);
    // Whatever became of it: what fails has been work too.
    await chargeAfterwards("ingest", Math.floor(taken.bytes / BYTES_PER_POINT));
  }
}

/** Whoever stops reading has an answer to give: a request that is destroyed takes its connection along before that has left. */
const bodyOf = (request: Readable): FormFile => ({
  fileName: "",
  source: request.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>,
});

async function* counted(source: AsyncIterable<Buffer>, taken: { bytes: number }): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    taken.bytes += chunk.length;
    yield chunk;
  }
}

/** Everything behind the first "?". */
export const queryOf = ({ url = "" }: { url?: string | undefined }): URLSearchParams =>
  new URLSearchParams(url.slice(`${url}?`.indexOf("?") + 1));

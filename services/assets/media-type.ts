// What a file is, told by its bytes and never by what its sender says. A name only tells apart what bytes cannot: which kind of
// text a text is. Looked at is the beginning alone (SAMPLE_BYTES), so that no file takes longer than another, and on the thread that
// answers requests. So what is packed is told here, by names that nothing is unpacked for: file-type unpacks up to 1 MiB of each
// entry of a ZIP and 16 MiB of a gzip. It walks through other types' parts as well, and gets only the beginning of the beginning:
// versions before ours never ended at some malformed files (sindresorhus/file-type pull request 792: ASF).
import { fileTypeFromBuffer } from "file-type";

/** Of a file's beginning, as much as is looked at. */
export const SAMPLE_BYTES = 65_536;

/** For file-type, which asks for no more of a stream to begin with; of the types behind that, discs' images are the one we lose. */
const TOOL_BYTES = 4_100;

export const DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
/** Of Word's files before 2007, and of today's under a password. */
export const COMPOUND = "application/x-cfb";
const ZIP = "application/zip";
/** ZIPs by the folder that their parts are in (ECMA-376). */
const OFFICE: readonly (readonly [folder: string, type: string])[] = [
  ["word/", DOCX],
  ["xl/", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"],
  ["ppt/", "application/vnd.openxmlformats-officedocument.presentationml.presentation"],
];
/** ZIPs that say it themselves, in a first entry that is not packed (OCF 3.3, ODF 1.3 part 2). */
const DECLARED: ReadonlySet<string> = new Set([
  "application/epub+zip",
  "application/vnd.oasis.opendocument.text",
  "application/vnd.oasis.opendocument.spreadsheet",
  "application/vnd.oasis.opendocument.presentation",
]);
const UNKNOWN = "application/octet-stream";

/** What a text may be by the end of its name. */
const TEXTS: Readonly<Record<string, string>> = {
  md: "text/markdown",
  markdown: "text/markdown",
  csv: "text/csv",
  tsv: "text/csv",
  html: "text/html",
  htm: "text/html",
};

/** The end of a name, in small letters; empty when it has none. */
export function extensionOf(name: string): string {
  const dot = name.lastIndexOf(".");
  return dot === -1 ? "" : name.slice(dot + 1).toLowerCase();
}

/** Looks at all of a file's bytes as they pass: whether they are text in UTF-8. */
export class TextProbe {
  private readonly decoder = new TextDecoder("utf-8", { fatal: true });
  private holds = true;

  update(bytes: Buffer): void {
    this.holds &&= !bytes.includes(0) && this.decodes(bytes, true);
  }

  /** To be asked once, at the end. */
  isText(): boolean {
    return this.holds && this.decodes(undefined, false);
  }

  private decodes(bytes: Buffer | undefined, stream: boolean): boolean {
    try {
      this.decoder.decode(bytes, { stream });
      return true;
    } catch {
      return false;
    }
  }
}

/** `sample` is the file's beginning, `isText` what a TextProbe says of the whole. */
export async function mediaTypeOf(sample: Buffer, name: string, isText: boolean): Promise<string> {
  const wide = wideText(sample);
  if (wide !== undefined) return textTypeOf(wide, name);
  const packed = packedType(sample);
  if (packed !== undefined) return packed;
  const found = await fileTypeFromBuffer(sample.subarray(0, TOOL_BYTES)).catch(() => undefined);
  if (found !== undefined && !(isText && found.mime.endsWith("xml"))) return found.mime;
  return isText ? textTypeOf(sample.toString("utf8"), name) : UNKNOWN;
}

const GZIP_MAGIC = Buffer.from([0x1f, 0x8b, 8]);

function packedType(sample: Buffer): string | undefined {
  if (sample.subarray(0, GZIP_MAGIC.length).equals(GZIP_MAGIC)) return "application/gzip";
  return sample.subarray(0, ENTRY_MAGIC.length).equals(ENTRY_MAGIC) ? zipTypeOf(sample) : undefined;
}

/** Of an entry's header (APPNOTE 4.3.7). */
const ENTRY_MAGIC = Buffer.from("PK\u0003\u0004");
const PACKED_SIZE_AT = 18;
const NAME_AT = 30;

function zipTypeOf(sample: Buffer): string {
  const first = sample.toString("latin1", NAME_AT, NAME_AT + "mimetype".length);
  if (first === "mimetype") {
    const begin = NAME_AT + first.length;
    const declared = sample.toString("latin1", begin, begin + sample.readUInt32LE(PACKED_SIZE_AT));
    if (DECLARED.has(declared)) return declared;
  }
  for (let at = 0; at !== -1; at = sample.indexOf(ENTRY_MAGIC, at + ENTRY_MAGIC.length)) {
    const name = sample.toString("latin1", at + NAME_AT, at + NAME_AT + 8);
    const office = OFFICE.find(([folder]) => name.startsWith(folder));
    if (office !== undefined) return office[1];
  }
  return ZIP;
}

/** Of a text with a byte order mark of UTF-16, which some music begins with as well: that has control characters soon. */
function wideText(sample: Buffer): string | undefined {
  const mark = sample.length > 1 ? sample.readUInt16BE(0) : 0;
  if (mark !== 0xfffe && mark !== 0xfeff) return undefined;
  try {
    const decoder = new TextDecoder(mark === 0xfffe ? "utf-16le" : "utf-16be", { fatal: true });
    const text = decoder.decode(sample, { stream: sample.length >= SAMPLE_BYTES });
    return /[\0-\u0008\u000e-\u001f]/.test(text) ? undefined : text;
  } catch {
    return undefined;
  }
}

/** HTML by its first tag, behind blanks, a byte order mark and an XML declaration; any other by its name. */
function textTypeOf(text: string, name: string): string {
  const start = text.slice(0, 1_024).trimStart().toLowerCase();
  const isHtml = start.startsWith("<") && (start.includes("<html") || start.includes("<!doctype html"));
  return isHtml ? "text/html" : (TEXTS[extensionOf(name)] ?? "text/plain");
}

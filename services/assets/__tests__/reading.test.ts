// What a file is, and which text comes out of it. No database: the readers are processes of their own.
import type { ChildProcess } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { deflateSync, gzipSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { parseRange } from "../byte-range";
import { dispositionOf } from "../content-answer";
import { DOCX, mediaTypeOf, TextProbe } from "../media-type";
import { fateOf, type Reader } from "../readable";
import { READER_LIMITS, readText, ReaderProcessError, type ReadableFile, type ReaderAnswer } from "../reader-process";
import { docx, inPieces, pdf, pdfOf, png, stream, wordBody, zip } from "./files";

const fileOf = (bytes: Buffer): ReadableFile => ({ bytes: bytes.length, source: inPieces(bytes) });
const read = (reader: Reader, bytes: Buffer): Promise<ReaderAnswer> =>
  readText(reader, fileOf(bytes), { signal: new AbortController().signal });

const typeOf = (bytes: Buffer, name: string): Promise<string> => {
  const probe = new TextProbe();
  for (let at = 0; at < bytes.length; at += 3) probe.update(bytes.subarray(at, at + 3));
  return mediaTypeOf(bytes, name, probe.isText());
};

describe("a file's type", () => {
  test("is what its bytes say, whatever its name says; a name tells texts apart", async () => {
    const word = docx(wordBody(["Tea"]));
    const types = await Promise.all([
      typeOf(pdf(["Tea"]), "tea.md"),
      typeOf(word, "tea.pdf"),
      typeOf(png, "tea.html"),
      typeOf(zip([{ name: "a", bytes: Buffer.from("a") }]), "a.docx"),
      typeOf(Buffer.from("\ufeff <!DOCTYPE html><p>Tea"), "tea.txt"),
      typeOf(Buffer.from("Grüner Tee"), "tea.md"),
      typeOf(Buffer.from("a,b"), "TEA.CSV"),
      typeOf(Buffer.from("a,b"), "tea"),
      typeOf(Buffer.from("\ufeffTee", "utf16le"), "tea.txt"),
      typeOf(Buffer.from([0x61, 0, 0x62]), "tea.txt"),
      typeOf(Buffer.from([0x61, 0xe4, 0x62]), "tea.txt"),
      typeOf(Buffer.from([0x61, 0xc3]), "tea.txt"),
    ]);
    expect(types).toEqual([
      "application/pdf",
      DOCX,
      "image/png",
      "application/zip",
      "text/html",
      "text/markdown",
      "text/csv",
      "text/plain",
      "text/plain",
      ...Array.from({ length: 3 }, () => "application/octet-stream"),
    ]);
  });

  test("is told of what is packed by what is not: first bytes, names of entries, a declaration", async () => {
    const stored = (name: string, text: string): Buffer => {
      const head = Buffer.alloc(30);
      head.write("PK\u0003\u0004", "latin1");
      head.writeUInt32LE(text.length, 18);
      head.writeUInt16LE(name.length, 26);
      return Buffer.concat([head, Buffer.from(name + text)]);
    };
    const types = await Promise.all([
      typeOf(
        zip([
          { name: "[Content_Types].xml", bytes: png },
          { name: "xl/a", bytes: png },
        ]),
        "a",
      ),
      typeOf(zip([{ name: "ppt/a", bytes: png }]), "a"),
      typeOf(zip([{ name: "my-word/a", bytes: png }]), "a"),
      typeOf(stored("mimetype", "application/epub+zip"), "a"),
      typeOf(stored("mimetype", "text/html"), "a"),
      typeOf(Buffer.from("PK\u0003\u0004"), "a"),
      typeOf(gzipSync(Buffer.alloc(1_000_000)), "a"),
    ]);
    expect(types).toEqual([
      "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
      "application/vnd.openxmlformats-officedocument.presentationml.presentation",
      "application/zip",
      "application/epub+zip",
      "application/zip",
      "application/zip",
      "application/gzip",
    ]);
  });

  test("decides whether its text is read; a name that promises one is held to it", () => {
    expect(fateOf("application/pdf", "a")).toEqual({ status: "pending", reason: null });
    expect(fateOf("image/png", "a.png")).toEqual({ status: "stored", reason: null });
    expect(fateOf("image/png", "a.PDF")).toEqual({ status: "failed", reason: "wrong_type" });
    expect(fateOf("application/x-cfb", "a.docx")).toEqual({ status: "failed", reason: "encrypted" });
    expect(fateOf("application/x-cfb", "a.doc")).toEqual({ status: "stored", reason: null });
  });
});

describe("the text of a file", () => {
  test("is Markdown, with a heading for each page, section or twenty rows", async () => {
    const rows = ["name;age", ...Array.from({ length: 25 }, (_, at) => `Ada ${at};${at}`)].join("\n");
    const page = `<title>Tea</title><style>p{}</style><h2>Green &amp; black</h2><p>Pour it
      slowly.<p># no heading<ul><li>Cup</li><li>Pot</ul><table><tr><th>a<td>b</table><script>alert(1)</script><pre>x  y\n</pre>`;
    const answers = await Promise.all([
      read("pdf", pdf(["Tea is green.\nIt is hot.", "", "# Coffee (black)"])),
      read("docx", docx(wordBody(["# Brewing", "Water first."]))),
      read("html", Buffer.from(page)),
      read("csv", Buffer.from(rows)),
      read("text", Buffer.from("\ufeffTee", "utf16le")),
    ]);
    const [fromPdf, fromWord, fromHtml, fromCsv, fromText] = answers.map((answer) => "text" in answer && answer.text);
    expect(fromPdf).toBe("## Page 1\n\nTea is green.\nIt is hot.\n\n## Page 3\n\n\\# Coffee (black)\n\n");
    expect(fromWord).toBe("# Brewing\n\nWater first.\n\n");
    expect(fromHtml).toBe(
      "Tea\n\n## Green & black\n\nPour it slowly.\n\n\\# no heading\n\n- Cup\n- Pot\na | b\n\n```\nx  y\n```\n\n",
    );
    expect(fromCsv).toMatch(/^\n## Rows 2 to 21\n\n- name: Ada 0; age: 0\n/);
    expect(fromCsv).toMatch(/\n## Rows 22 to 26\n\n- name: Ada 20; age: 20\n/);
    expect(fromText).toBe("Tee");
  });

  test("does not come of one that is cut, encrypted, empty or not what it seems; and the reason is told", async () => {
    const whole = pdf(["Tea"]);
    const encrypted = pdf(
      ["Tea"],
      "/Encrypt<</Filter/Standard/V 1/R 2/P -4/O(" + "o".repeat(32) + ")/U(" + "u".repeat(32) + ")>>/ID[(a)(a)]",
    );
    const answers = await Promise.all([
      read("pdf", whole.subarray(0, whole.length / 2)),
      read("pdf", encrypted),
      read("pdf", pdf([""])),
      read("docx", zip([{ name: "a", bytes: Buffer.from("a") }])),
      read("docx", docx(wordBody(["Tea"]), [{ name: "b", bytes: Buffer.from("b"), flags: 1 }])),
    ]);
    expect(answers).toEqual(
      ["damaged", "encrypted", "no_text", "wrong_type", "encrypted"].map((failure) => ({ failure })),
    );
  });

  test("is given up when it takes too much time or memory, and with its job", async () => {
    const limits = READER_LIMITS;
    const called = new AbortController();
    async function* endless(): AsyncGenerator<Buffer> {
      for (;;) {
        yield Buffer.alloc(1024, 32);
        await new Promise(setImmediate);
      }
    }
    const { signal } = new AbortController();
    // Its one page draws 1,600 MB of blanks.
    const blanks = stream(deflateSync(Buffer.alloc(4_000_000, 32)), "/Filter/FlateDecode");
    const page = `<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents[${"4 0 R ".repeat(400)}]>>`;
    const long = pdfOf(["<</Type/Catalog/Pages 2 0 R>>", "<</Type/Pages/Kids[3 0 R]/Count 1>>", page, blanks]);
    const slow = readText("pdf", fileOf(long), { signal, limits: { ...limits, limitMs: 100 } });
    // That its bytes do not come is no fault of the file's.
    const late = readText("text", { bytes: 2, source: silent() }, { signal, limits: { ...limits, feedMs: 500 } });
    const started: ChildProcess[] = [];
    const note = (message: unknown): void => void started.push((message as { process: ChildProcess }).process);
    subscribe("child_process", note);
    const killed = readText("text", { bytes: 2, source: killing(started) }, { signal });
    unsubscribe("child_process", note);
    // Any process has more. It is given nothing to read, or it might be done before anybody looks at its memory.
    const large = readText("text", { bytes: 2, source: silent() }, { signal, limits: { ...limits, memoryMaxMb: 8 } });
    const aborted = readText("text", { bytes: 2, source: endless() }, { signal: called.signal });
    const broken = readText("text", { bytes: 2, source: failing() }, { signal });
    called.abort(new ReaderProcessError("called off"));
    const ends = await Promise.allSettled([slow, large, aborted, broken, late, killed]);
    expect(ends.map((end) => (end.status === "fulfilled" ? end.value : (end.reason as Error).message))).toEqual([
      { failure: "too_complex" },
      { failure: "too_complex" },
      "called off",
      "the bucket is away",
      "the file's bytes did not arrive in time",
      expect.stringMatching(/^the process ended by SIGKILL/),
    ]);
  });
});

async function* silent(): AsyncGenerator<Buffer> {
  yield Buffer.from("a");
  await new Promise(() => undefined);
}

/** Ends the process that reads it, as a machine without memory does. */
async function* killing(readers: readonly ChildProcess[]): AsyncGenerator<Buffer> {
  yield await Promise.resolve(Buffer.from("a"));
  for (const reader of readers) reader.kill("SIGKILL");
}

async function* failing(): AsyncGenerator<Buffer> {
  yield await Promise.resolve(Buffer.from("a"));
  throw new Error("the bucket is away");
}

test("a range is one of RFC 9110's, or the whole", () => {
  expect(parseRange("bytes=0-1", 10)).toEqual({ first: 0, last: 1 });
  expect(parseRange("bytes=5-", 10)).toEqual({ first: 5, last: 9 });
  expect(parseRange("bytes=-3", 10)).toEqual({ first: 7, last: 9 });
  expect(parseRange("bytes=-30", 10)).toEqual({ first: 0, last: 9 });
  expect(parseRange("bytes=5-9999999999999999", 10)).toEqual({ first: 5, last: 9 });
  expect(parseRange("bytes=10-", 10)).toBe("none");
  expect(parseRange("bytes=-0", 10)).toBe("none");
  for (const header of [undefined, "", "bytes=-", "bytes=5-1", "bytes=0-1,3-4", "lines=0-1", "bytes=a-b"])
    expect(parseRange(header, 10)).toBe(undefined);
});

test("a file's name cannot leave its header", () => {
  expect(dispositionOf(`Tee "grün";.html`)).toBe(
    `attachment; filename="Tee _gr_n__.html"; filename*=UTF-8''Tee%20%22gr%C3%BCn%22%3B.html`,
  );
  expect(dispositionOf("a\r\nset-cookie: b=c\u2028'*.txt")).toMatch(/^[\x20-\x7e]+$/);
});

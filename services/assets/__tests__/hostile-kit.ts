// Hostile files, from a seed: cut, bent, encrypted, nested, endless, and such as unpack to what no machine has.
import { deflateSync } from "node:zlib";
import type { Random } from "../../../runtime/__tests__/whole-app/support/fuzz/random";
import { docx, pdf, pdfOf, png, stream, wordBody, zip } from "./files";

export interface HostileFile {
  name: string;
  bytes: Buffer;
  /** What may become of it; whatever it does, it ends. */
  ends: readonly string[];
}

const MEGABYTE = 1024 * 1024;
const deflated = (bytes: number): string => stream(deflateSync(Buffer.alloc(bytes, 32)), "/Filter/FlateDecode");
const FONT = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>";
const page = (contents: string): string =>
  `<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents ${contents}/Resources<</Font<</F1 3 0 R>>>>>>`;
const document = (kids: string, count: number, objects: string[]): Buffer =>
  pdfOf(["<</Type/Catalog/Pages 2 0 R>>", `<</Type/Pages/Kids[${kids}]/Count ${count}>>`, FONT, ...objects]);

const nested = (open: string, close: string, depth: number): string => open.repeat(depth) + close.repeat(depth);

/** A whole file with some bytes changed, or a part of it missing. */
function bent(random: Random, whole: Buffer, name: string): HostileFile {
  const bytes = Buffer.from(whole);
  for (let times = random.integer(1, 40); times > 0; times--)
    bytes[random.integer(0, bytes.length - 1)] = random.integer(0, 255);
  const end = random.chance(0.5) ? random.integer(1, bytes.length) : bytes.length;
  return { name, bytes: bytes.subarray(0, end), ends: ["failed", "ready", "stored"] };
}

const failed = ["failed"];

/** One of each kind in turn. */
const kinds: readonly ((random: Random) => HostileFile)[] = [
  (random) => bent(random, pdf(["Tea is green.", "It is hot."]), "bent.pdf"),
  (random) => bent(random, docx(wordBody(["# Tea", "It is hot."])), "bent.docx"),
  () => ({ name: "cut.pdf", bytes: pdf(["Tea"]).subarray(0, 300), ends: failed }),
  () => ({ name: "picture.pdf", bytes: png, ends: failed }),
  () => ({ name: "pages.pdf", bytes: pdf(Array.from({ length: 10_000 }, () => "Tea")), ends: failed }),
  // Its tree of pages has itself for a child.
  () => ({ name: "loop.pdf", bytes: document("2 0 R", 1, []), ends: ["failed", "ready"] }),
  // 100 KB that are 100 MB; and 400 of them on one page.
  () => ({ name: "bomb.pdf", bytes: document("4 0 R", 1, [page("5 0 R"), deflated(100 * MEGABYTE)]), ends: failed }),
  () => ({
    name: "bombs.pdf",
    bytes: document("4 0 R", 1, [page(`[${"5 0 R ".repeat(400)}]`), deflated(4 * MEGABYTE)]),
    ends: failed,
  }),
  () => ({
    name: "bomb.docx",
    bytes: docx(wordBody(["Tea"]), [{ name: "word/a.xml", bytes: Buffer.alloc(80 * MEGABYTE) }]),
    ends: failed,
  }),
  () => ({
    name: "liar.docx",
    bytes: docx(wordBody(["Tea"]), [{ name: "word/a.xml", bytes: Buffer.alloc(20 * MEGABYTE), declared: 10 }]),
    ends: failed,
  }),
  () => ({
    name: "entries.docx",
    bytes: docx(
      wordBody(["Tea"]),
      Array.from({ length: 3_000 }, (_, at) => ({ name: `word/${at}.xml`, bytes: Buffer.from("a") })),
    ),
    ends: failed,
  }),
  () => ({
    name: "deep.docx",
    bytes: docx(nested("<w:sdt><w:sdtContent>", "</w:sdtContent></w:sdt>", 50_000)),
    ends: failed,
  }),
  () => ({ name: "archive.docx", bytes: zip([{ name: "a", bytes: Buffer.from("a") }]), ends: failed }),
  () => ({
    name: "deep.html",
    bytes: Buffer.from(`<html>${nested("<div>", "</div>", 200_000)}`),
    ends: ["failed", "ready"],
  }),
  () => ({ name: "long.html", bytes: Buffer.from(`<html>${"<p>tea ".repeat(200_000)}`), ends: failed }),
  () => ({ name: "open.csv", bytes: Buffer.from(`a,b\n"${"x,".repeat(2_000_000)}`), ends: ["failed", "ready"] }),
  () => ({ name: "commas.csv", bytes: Buffer.from(`${",".repeat(4_000_000)}\n`), ends: failed }),
  () => ({ name: "long.txt", bytes: Buffer.alloc(8 * MEGABYTE, 97), ends: failed }),
  (random) => ({
    name: "noise.md",
    bytes: Buffer.from(Array.from({ length: 5_000 }, () => random.integer(0, 255))),
    ends: ["failed", "stored"],
  }),
  () => ({ name: "quotes.md", bytes: Buffer.from(">".repeat(100_000)), ends: ["failed", "ready"] }),
];

/** The first of each kind, and then again: no two have the same bytes where chance has a say. */
export const hostileFiles = (random: Random, count: number): HostileFile[] =>
  Array.from({ length: count }, (_, at) => kinds[at % kinds.length]!(random));

// Files for tests, made here: what a real one of each type has and no more.
import { crc32, deflateRawSync } from "node:zlib";

/** A PDF with a page for each text; a line for each line of it. */
export function pdf(pages: readonly string[], trailer = ""): Buffer {
  const objects = ["<</Type/Catalog/Pages 2 0 R>>"];
  const kids = pages.map((_, at) => `${4 + 2 * at} 0 R`).join(" ");
  objects.push(`<</Type/Pages/Kids[${kids}]/Count ${pages.length}>>`);
  objects.push("<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>");
  for (const [at, page] of pages.entries()) {
    const lines = page.split("\n").map((line) => `(${line.replace(/[\\()]/g, "\\$&")}) Tj 0 -14 Td`);
    objects.push(
      `<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents ${5 + 2 * at} 0 R/Resources<</Font<</F1 3 0 R>>>>>>`,
    );
    objects.push(stream(Buffer.from(`BT /F1 11 Tf 40 800 Td ${lines.join(" ")} ET`)));
  }
  return pdfOf(objects, trailer);
}

export function stream(bytes: Buffer, more = ""): string {
  return `<</Length ${bytes.length}${more}>>\nstream\n${bytes.toString("latin1")}\nendstream`;
}

/** A PDF of these objects, numbered from 1; the first is the catalogue. */
export function pdfOf(objects: readonly string[], trailer = ""): Buffer {
  let text = "%PDF-1.7\n";
  const offsets = objects.map((object, at) => {
    const offset = text.length;
    text += `${at + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const table = offsets.map((offset) => `${String(offset).padStart(10, "0")} 00000 n \n`).join("");
  const end = `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${table}trailer\n<</Root 1 0 R/Size ${objects.length + 1}${trailer}>>`;
  return Buffer.from(`${text}${end}\nstartxref\n${text.length}\n%%EOF\n`, "latin1");
}

export interface ZipEntry {
  name: string;
  bytes: Buffer;
  /** What its header says of its size, if not the truth. */
  declared?: number;
  /** General purpose bits: 1 is "encrypted". */
  flags?: number;
}

/** A ZIP archive (APPNOTE 6.3) of deflated entries. */
export function zip(entries: readonly ZipEntry[]): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const { name, bytes, declared = bytes.length, flags = 0 } of entries) {
    const packed = deflateRawSync(bytes);
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt16LE(flags, 2);
    shared.writeUInt16LE(8, 4);
    shared.writeUInt32LE(crc32(bytes), 10);
    shared.writeUInt32LE(packed.length, 14);
    shared.writeUInt32LE(declared, 18);
    shared.writeUInt16LE(Buffer.byteLength(name), 22);
    const local = Buffer.concat([Buffer.from("PK\u0003\u0004"), shared, Buffer.from(name), packed]);
    const tail = Buffer.alloc(14);
    tail.writeUInt32LE(offset, 10);
    centrals.push(
      Buffer.concat([Buffer.from("PK\u0001\u0002"), Buffer.from([20, 0]), shared, tail, Buffer.from(name)]),
    );
    locals.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(centrals);
  const end = Buffer.alloc(18);
  end.writeUInt16LE(entries.length, 4);
  end.writeUInt16LE(entries.length, 6);
  end.writeUInt32LE(central.length, 8);
  end.writeUInt32LE(offset, 12);
  return Buffer.concat([...locals, central, Buffer.from("PK\u0005\u0006"), end]);
}

const xml = (text: string): Buffer => Buffer.from(`<?xml version="1.0" encoding="UTF-8" standalone="yes"?>${text}`);
const W = `xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"`;

/** Paragraphs of a Word file; one that begins with "# " is a heading. */
export const wordBody = (lines: readonly string[]): string =>
  lines
    .map((line) => {
      const style = line.startsWith("# ") ? `<w:pPr><w:pStyle w:val="Heading1"/></w:pPr>` : "";
      return `<w:p>${style}<w:r><w:t xml:space="preserve">${line.replace(/^# /, "")}</w:t></w:r></w:p>`;
    })
    .join("");

export function docx(body: string, more: readonly ZipEntry[] = []): Buffer {
  const types = "http://schemas.openxmlformats.org/package/2006/content-types";
  const rels = "http://schemas.openxmlformats.org/package/2006/relationships";
  const office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships";
  const main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml";
  return zip([
    {
      name: "[Content_Types].xml",
      bytes: xml(
        `<Types xmlns="${types}"><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Override PartName="/word/document.xml" ContentType="${main}"/></Types>`,
      ),
    },
    {
      name: "_rels/.rels",
      bytes: xml(
        `<Relationships xmlns="${rels}"><Relationship Id="rId1" Type="${office}/officeDocument" Target="word/document.xml"/></Relationships>`,
      ),
    },
    {
      name: "word/styles.xml",
      bytes: xml(
        `<w:styles ${W}><w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style></w:styles>`,
      ),
    },
    {
      name: "word/_rels/document.xml.rels",
      bytes: xml(
        `<Relationships xmlns="${rels}"><Relationship Id="rId1" Type="${office}/styles" Target="styles.xml"/></Relationships>`,
      ),
    },
    { name: "word/document.xml", bytes: xml(`<w:document ${W}><w:body>${body}</w:body></w:document>`) },
    ...more,
  ]);
}

/** The smallest PNG that is one. */
export const png = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

/** A file as it arrives, in pieces. */
export async function* inPieces(bytes: Buffer, pieceBytes = 65_536): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  await Promise.resolve();
}

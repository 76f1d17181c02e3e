// PDF by pdf.js (unpdf's build of it, which needs no canvas and no worker): a heading for each page, so that a citation can name it.
import { getDocumentProxy } from "unpdf";
import { asWords, Refusal, Text } from "./refusal.mjs";

const PAGES_MAX = 2_000;
/** The end of a file is at its end; behind it some writers leave a little. */
const END_WITHIN_BYTES = 2_048;

const OPTIONS = {
  verbosity: 0,
  disableFontFace: true,
  useSystemFonts: true,
  isEvalSupported: false,
  stopAtErrors: true,
  // What a picture shows is not read.
  maxImageSize: 1,
};

async function open(bytes) {
  // pdf.js mends a file that was cut, as far as it goes, and says nothing: a part would pass for the whole.
  if (!bytes.subarray(-END_WITHIN_BYTES).includes("%%EOF")) throw new Refusal("damaged");
  try {
    // It takes no Buffer; what is all of its memory is not copied.
    return await getDocumentProxy(new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length), OPTIONS);
  } catch (error) {
    throw error?.name === "PasswordException" ? new Refusal("encrypted") : error;
  }
}

/** Lines as they stand on the page; where more than a line's height is between two, a paragraph ends. */
function textOfPage(items) {
  let [text, line] = ["", ""];
  let before;
  for (const { str, hasEOL, transform, height } of items) {
    if (str === undefined) continue;
    const y = transform[5];
    if (line === "" && str.trim() !== "" && before !== undefined && Math.abs(before.y - y) > 1.8 * before.height)
      text += "\n";
    line += str;
    if (str.trim() !== "") before = { y, height: height || 10 };
    if (hasEOL) {
      text += `${asWords(line.trimEnd())}\n`;
      line = "";
    }
  }
  return `${text}${asWords(line)}`.replaceAll("\0", "");
}

export async function read(bytes) {
  const document = await open(bytes);
  if (document.numPages > PAGES_MAX) throw new Refusal("too_many_pages");
  const text = new Text();
  let hasWords = false;
  for (let number = 1; number <= document.numPages; number++) {
    const page = await document.getPage(number);
    const { items } = await page.getTextContent();
    const words = textOfPage(items);
    page.cleanup();
    if (words.trim() === "") continue;
    hasWords = true;
    text.add(`## Page ${number}\n\n${words.trim()}\n\n`);
  }
  return hasWords ? text.toString() : "";
}

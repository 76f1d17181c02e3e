// Which files have a text that becomes a document, and why one has none that should: in words that are shown.
import { COMPOUND, DOCX, extensionOf } from "./media-type";

/** How a file's text is read; each is a file in readers/. */
export type Reader = "pdf" | "docx" | "html" | "csv" | "text";

const READERS: Readonly<Record<string, Reader>> = {
  "application/pdf": "pdf",
  [DOCX]: "docx",
  "text/html": "html",
  "text/csv": "csv",
  "text/markdown": "text",
  "text/plain": "text",
};

/** Names that promise a text; whether a text it is the bytes have said already. */
const PROMISING = new Set(["pdf", "docx", "html", "htm", "csv", "tsv", "md", "markdown", "txt"]);

export const readerOf = (mediaType: string): Reader | undefined => READERS[mediaType];

/** Why no text comes out of a file; a test holds the README's table to it. */
export const failures = {
  wrong_type: "its bytes are not of the type that its name says",
  encrypted: "it is protected by a password",
  damaged: "it is not whole, or breaks the rules of its type",
  too_many_pages: "it has more than 2,000 pages",
  too_large_unpacked: "it unpacks to more than 64 MiB, or to more than 2,000 parts",
  too_complex: "reading it takes more time or memory than a file may have",
  too_much_text: "it has more than 480,000 characters of text",
  no_text: "it has no text: a scan is pictures of text",
  given_up: "it could not be read, time and again; another upload tries anew",
} as const satisfies Record<string, string>;

export type Failure = keyof typeof failures;

/** What may be the fault of a slow or a full machine and not the file's: the same bytes again are another attempt. */
export const isOfTheMoment = (reason: string | null): boolean => reason === "given_up" || reason === "too_complex";

export const isFailure = (word: string): word is Failure => Object.hasOwn(failures, word);

/** What becomes of a file that has just arrived. */
export function fateOf(
  mediaType: string,
  name: string,
): { status: "pending" | "failed" | "stored"; reason: Failure | null } {
  if (readerOf(mediaType) !== undefined) return { status: "pending", reason: null };
  const extension = extensionOf(name);
  if (!PROMISING.has(extension)) return { status: "stored", reason: null };
  return { status: "failed", reason: mediaType === COMPOUND && extension === "docx" ? "encrypted" : "wrong_type" };
}

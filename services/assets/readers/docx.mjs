// Word's files: mammoth makes HTML of them by their styles' meaning, which keeps headings. Before that the archive is looked at,
// by an unpacker that holds entries to the sizes they declare (yauzl): a small file may unpack to any size.
import mammoth from "mammoth";
import yauzl from "yauzl";
import { fromHtml } from "./html.mjs";
import { Refusal } from "./refusal.mjs";

const UNPACKED_MAX_BYTES = 64 * 1024 * 1024;
const ENTRIES_MAX = 2_000;

/** Unpacks an entry into nothing; rejects where it holds something else than it says. */
function drain(archive, entry) {
  return new Promise((resolve, reject) => {
    archive.openReadStream(entry, (error, stream) => {
      if (error) return reject(error);
      stream.on("error", reject).on("end", resolve).resume();
    });
  });
}

async function checkArchive(bytes) {
  const archive = await yauzl.fromBufferPromise(bytes, { lazyEntries: true, validateEntrySizes: true });
  if (archive.entryCount > ENTRIES_MAX) throw new Refusal("too_large_unpacked");
  const entries = [];
  let unpacked = 0;
  for await (const entry of archive.eachEntry()) {
    unpacked += entry.uncompressedSize;
    if (entries.push(entry) > ENTRIES_MAX || unpacked > UNPACKED_MAX_BYTES) throw new Refusal("too_large_unpacked");
    if (entry.isEncrypted()) throw new Refusal("encrypted");
  }
  if (!entries.some(({ fileName }) => fileName === "word/document.xml")) throw new Refusal("wrong_type");
  for (const entry of entries) await drain(archive, entry);
}

export async function read(bytes) {
  await checkArchive(bytes);
  const { value } = await mammoth.convertToHtml(
    { buffer: bytes },
    { convertImage: mammoth.images.imgElement(() => Promise.resolve({ src: "" })) },
  );
  return fromHtml(value);
}

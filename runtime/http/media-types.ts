// Content types of static assets by file extension, without charset, as the official runtime sends them.

const TYPES: Record<string, string> = {
  aac: "audio/aac", apk: "application/vnd.android.package-archive", avif: "image/avif", bin: "application/octet-stream",
  bmp: "image/bmp", bz2: "application/x-bzip2", css: "text/css", csv: "text/csv", doc: "application/msword",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document", eot: "application/vnd.ms-fontobject",
  epub: "application/epub+zip", flac: "audio/flac", gif: "image/gif", gz: "application/gzip", htm: "text/html", html: "text/html",
  ico: "image/x-icon", ics: "text/calendar", jar: "application/java-archive", jpeg: "image/jpeg", jpg: "image/jpeg", js: "text/javascript",
  json: "application/json", jsonld: "application/ld+json", jsx: "text/javascript", log: "text/plain", m4a: "audio/m4a", map: "application/json",
  md: "text/markdown", mjs: "text/javascript", mov: "video/quicktime", mp3: "audio/mpeg", mp4: "video/mp4", mpeg: "video/mpeg",
  odt: "application/vnd.oasis.opendocument.text", oga: "audio/ogg", ogg: "audio/ogg", ogv: "video/ogg", otf: "font/otf",
  pdf: "application/pdf", php: "application/x-httpd-php", png: "image/png", ppt: "application/vnd.ms-powerpoint",
  pptx: "application/vnd.openxmlformats-officedocument.presentationml.presentation", rtf: "application/rtf", sh: "application/x-sh",
  svg: "image/svg+xml", swf: "application/x-shockwave-flash", tar: "application/x-tar", tif: "image/tiff", tiff: "image/tiff",
  toml: "text/x-toml", ts: "video/vnd.dlna.mpeg-tts", ttf: "font/ttf", txt: "text/plain", wasm: "application/wasm", wav: "audio/wav",
  weba: "audio/webm", webm: "video/webm", webmanifest: "application/manifest+json", webp: "image/webp", woff: "font/woff",
  woff2: "font/woff2", xhtml: "application/xhtml+xml", xls: "application/vnd.ms-excel",
  xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", xml: "text/xml", yaml: "text/x-yaml", yml: "text/x-yaml",
  zip: "application/zip", "7z": "application/x-7z-compressed",
};

/** The content type of a file name; a name that only begins with a dot has no extension. */
export function mediaType(file: string): string {
  const name = file.slice(file.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  return (dot > 0 && TYPES[name.slice(dot + 1).toLowerCase()]) || "application/octet-stream";
}

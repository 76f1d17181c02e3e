// Content types of static assets by file extension, without charset, as the official runtime sends them (H-141): those
// of mime_guess 2.0.5, also where IANA has since registered others. What is not listed is application/octet-stream.

const TYPES = new Map(Object.entries({
  "3g2": "video/3gpp2", "3gp": "video/3gpp", "7z": "application/x-7z-compressed", aac: "audio/aac", ac3: "audio/ac3", ai: "application/postscript",
  aif: "audio/aiff", aiff: "audio/aiff", apk: "application/vnd.android.package-archive", apng: "image/apng", appcache: "text/cache-manifest",
  asc: "application/pgp-signature", asm: "text/plain", atom: "application/atom+xml", au: "audio/basic", avi: "video/x-msvideo", avif: "image/avif",
  axs: "application/olescript", azw: "application/vnd.amazon.ebook", bat: "application/x-msdownload", bmp: "image/bmp", bz: "application/x-bzip",
  bz2: "application/x-bzip2", c: "text/plain", caf: "audio/x-caf", cbr: "application/x-cbr", cbz: "application/x-cbr", cc: "text/plain",
  cer: "application/x-x509-ca-cert", cfg: "text/plain", class: "application/x-java-applet", cmd: "text/plain", coffee: "text/coffeescript",
  conf: "text/plain", cpp: "text/plain", crt: "application/x-x509-ca-cert", crx: "application/x-chrome-extension", cs: "text/plain",
  csh: "application/x-csh", css: "text/css", csv: "text/csv", dae: "model/vnd.collada+xml", der: "application/x-x509-ca-cert", djv: "image/vnd.djvu",
  djvu: "image/vnd.djvu", doc: "application/msword", docm: "application/vnd.ms-word.document.macroEnabled.12",
  docx: "application/vnd.openxmlformats-officedocument.wordprocessingml.document", dot: "application/msword",
  dotx: "application/vnd.openxmlformats-officedocument.wordprocessingml.template", dtd: "text/xml", dvi: "application/x-dvi",
  ear: "application/java-archive", eml: "message/rfc822", eot: "application/vnd.ms-fontobject", eps: "application/postscript",
  epub: "application/epub+zip", es: "text/javascript", f4v: "video/x-f4v", flac: "audio/flac", flv: "video/x-flv", geojson: "application/geo+json",
  gif: "image/gif", glb: "model/gltf-binary", gltf: "model/gltf+json", gpx: "application/gpx+xml", gz: "application/gzip", h: "text/plain",
  hdr: "image/vnd.radiance", heic: "image/heic", heif: "image/heif", hqx: "application/mac-binhex40", htc: "text/x-component", htm: "text/html",
  html: "text/html", ico: "image/x-icon", ics: "text/calendar", ifb: "text/calendar", ini: "text/plain", jar: "application/java-archive",
  jfif: "image/jpeg", jp2: "image/jp2", jpe: "image/jpeg", jpeg: "image/jpeg", jpg: "image/jpeg", js: "text/javascript", jsm: "text/javascript",
  json: "application/json", json5: "application/json5", jsonld: "application/ld+json", jsx: "text/javascript", jxl: "image/jxl",
  kml: "application/vnd.google-earth.kml+xml", kmz: "application/vnd.google-earth.kmz", latex: "application/x-latex", less: "text/less",
  lha: "application/x-lzh-compressed", lit: "application/x-ms-reader", log: "text/plain", lua: "text/x-lua", m1v: "video/mpeg",
  m2ts: "video/vnd.dlna.mpeg-tts", m3u: "audio/x-mpegurl", m3u8: "audio/x-mpegurl", m4a: "audio/m4a", m4v: "video/x-m4v",
  manifest: "application/x-ms-manifest", map: "text/plain", markdown: "text/markdown", md: "text/markdown", mht: "message/rfc822",
  mhtml: "message/rfc822", mid: "audio/mid", midi: "audio/mid", mjs: "application/javascript", mka: "audio/x-matroska", mkv: "video/x-matroska",
  mng: "video/x-mng", mobi: "application/x-mobipocket-ebook", mov: "video/quicktime", mp3: "audio/mpeg", mp4: "video/mp4",
  mpd: "application/dash+xml", mpe: "video/mpeg", mpeg: "video/mpeg", mpg: "video/mpeg", mts: "video/vnd.dlna.mpeg-tts", nfo: "text/x-nfo",
  odg: "application/vnd.oasis.opendocument.graphics", odp: "application/vnd.oasis.opendocument.presentation",
  ods: "application/vnd.oasis.opendocument.spreadsheet", odt: "application/vnd.oasis.opendocument.text", oga: "audio/ogg", ogg: "audio/ogg",
  ogv: "video/ogg", ogx: "application/ogg", opus: "audio/ogg", otf: "application/font-sfnt", p12: "application/x-pkcs12",
  parquet: "application/vnd.apache.parquet", pbm: "image/x-portable-bitmap", pdf: "application/pdf", pem: "application/x-x509-ca-cert",
  pgm: "image/x-portable-graymap", php: "application/x-httpd-php", pl: "application/x-perl", png: "image/png", pnm: "image/x-portable-anymap",
  potx: "application/vnd.openxmlformats-officedocument.presentationml.template", ppm: "image/x-portable-pixmap", pps: "application/vnd.ms-powerpoint",
  ppsx: "application/vnd.openxmlformats-officedocument.presentationml.slideshow", ppt: "application/vnd.ms-powerpoint",
  pptm: "application/vnd.ms-powerpoint.presentation.macroEnabled.12",
  pptx: "application/vnd.openxmlformats-officedocument.presentationml.presentation", ps: "application/postscript", py: "text/plain",
  qt: "video/quicktime", ra: "audio/x-pn-realaudio", ram: "audio/x-pn-realaudio", rar: "application/x-rar-compressed", ras: "image/x-cmu-raster",
  rdf: "application/rdf+xml", rgb: "image/x-rgb", rm: "application/vnd.rn-realmedia", rs: "text/x-rust", rss: "application/rss+xml",
  rtf: "application/rtf", s: "text/plain", sass: "text/x-sass", scss: "text/x-scss", sh: "application/x-sh", shtml: "text/html",
  sit: "application/x-stuffit", smil: "application/smil+xml", snd: "audio/basic", spx: "audio/ogg", sql: "application/x-sql",
  srt: "application/x-subrip", svg: "image/svg+xml", svgz: "image/svg+xml", swf: "application/x-shockwave-flash", tar: "application/x-tar",
  tex: "application/x-tex", text: "text/plain", tga: "image/x-tga", tgz: "application/x-compressed", tif: "image/tiff", tiff: "image/tiff",
  toml: "text/x-toml", torrent: "application/x-bittorrent", ts: "video/vnd.dlna.mpeg-tts", tsv: "text/tab-separated-values", ttc: "font/collection",
  ttf: "font/ttf", txt: "text/plain", uu: "text/x-uuencode", vb: "text/plain", vcf: "text/x-vcard", vob: "video/x-ms-vob",
  vsd: "application/vnd.visio", vtt: "text/vtt", war: "application/java-archive", wasm: "application/wasm", wav: "audio/wav",
  wbmp: "image/vnd.wap.wbmp", weba: "audio/webm", webapp: "application/x-web-app-manifest+json", webm: "video/webm",
  webmanifest: "application/manifest+json", webp: "image/webp", wma: "audio/x-ms-wma", wmv: "video/x-ms-wmv", woff: "application/font-woff",
  woff2: "font/woff2", wps: "application/vnd.ms-works", wsdl: "text/xml", xap: "application/x-silverlight-app", xbm: "image/x-xbitmap",
  xhtml: "application/xhtml+xml", xls: "application/vnd.ms-excel", xlsb: "application/vnd.ms-excel.sheet.binary.macroEnabled.12",
  xlsm: "application/vnd.ms-excel.sheet.macroEnabled.12", xlsx: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
  xltx: "application/vnd.openxmlformats-officedocument.spreadsheetml.template", xml: "text/xml", xpi: "application/x-xpinstall",
  xpm: "image/x-xpixmap", xsd: "text/xml", xsl: "text/xml", xslt: "text/xml", xul: "application/vnd.mozilla.xul+xml", xz: "application/x-xz",
  yaml: "text/x-yaml", yml: "text/x-yaml", z: "application/x-compress", zip: "application/zip",
}));

/** The content type of a file name; a name that only begins with a dot has no extension. */
export function mediaType(file: string): string {
  const name = file.slice(file.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  return (dot > 0 && TYPES.get(name.slice(dot + 1).toLowerCase())) || "application/octet-stream";
}

// HTML as Markdown: headings, paragraphs, items, rows and code; no scripts, styles, addresses or what is hidden. Read as a stream of
// tags (htmlparser2), not as a tree, so that depth costs nothing.
import { Parser } from "htmlparser2";
import { asWords, decode, Text } from "./refusal.mjs";

const SKIPPED = new Set([
  "script",
  "style",
  "template",
  "noscript",
  "svg",
  "math",
  "iframe",
  "object",
  "select",
  "textarea",
]);
const BLOCKS = new Set(
  "p div section article header footer main nav aside ul ol dl dt dd table thead tbody tfoot tr blockquote figure figcaption form fieldset hr address details summary title body".split(
    " ",
  ),
);

class Markdown {
  #text = new Text();
  #line = "";
  #skipped = 0;
  #fenced = 0;
  #prefix = "";
  #isTight = false;

  words(words) {
    if (this.#skipped > 0) return;
    if (this.#fenced > 0) this.#line += words;
    else {
      const folded = words.replace(/[\t\n\f\r ]+/g, " ");
      this.#line += this.#line === "" || this.#line.endsWith(" ") ? folded.trimStart() : folded;
    }
    // A paragraph without an end is no reason to hold all of it.
    if (this.#line.length > 100_000) this.#end();
  }

  #end(gap = "\n\n") {
    const line = this.#fenced > 0 ? this.#line : this.#line.trim();
    this.#line = "";
    if (line !== "") this.#add(`${this.#prefix === "" ? asWords(line) : this.#prefix + line}${gap}`, gap);
    this.#prefix = "";
  }

  /** Items and rows stand line by line; what is neither stands apart. */
  #add(text, gap) {
    this.#text.add(this.#isTight && gap !== "\n" ? `\n${text}` : text);
    this.#isTight = gap === "\n";
  }

  open(name) {
    if (SKIPPED.has(name)) this.#skipped++;
    if (this.#skipped > 0 || this.#fenced > 0) return;
    const [, level] = /^h([1-6])$/.exec(name) ?? [];
    if (level !== undefined) {
      this.#end();
      this.#prefix = `${"#".repeat(Number(level))} `;
    } else if (name === "li") {
      this.#end("\n");
      this.#prefix = "- ";
    } else if (name === "pre") {
      this.#end();
      this.#add("```\n");
      this.#fenced++;
    } else if (name === "br") this.#line += "\n";
    else if (name === "td" || name === "th") this.#line += this.#line === "" ? "" : " | ";
    else if (BLOCKS.has(name) && !(name === "p" && this.#line === "")) this.#end();
  }

  close(name) {
    if (SKIPPED.has(name)) this.#skipped = Math.max(0, this.#skipped - 1);
    if (this.#skipped > 0) return;
    if (this.#fenced > 0) {
      if (name !== "pre") return;
      this.#fenced = 0;
      this.#text.add(`${this.#line.replaceAll("```", "'''").replace(/\n$/, "")}\n\`\`\`\n\n`);
      this.#line = "";
    } else if (name === "li" || name === "tr") this.#end("\n");
    else if (BLOCKS.has(name) || /^h[1-6]$/.test(name)) this.#end();
  }

  toString() {
    if (this.#fenced > 0) this.close("pre");
    this.#end();
    return this.#text.toString();
  }
}

export function fromHtml(html) {
  const markdown = new Markdown();
  const parser = new Parser({
    onopentagname: (name) => markdown.open(name),
    ontext: (words) => markdown.words(words),
    onclosetag: (name) => markdown.close(name),
  });
  parser.write(html);
  parser.end();
  return markdown.toString();
}

export const read = (bytes) => fromHtml(decode(bytes));

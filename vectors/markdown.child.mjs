// The process that reads Markdown (CommonMark and GitHub's tables, by markdown-it). Apart from the one that answers,
// because the time and memory that a parser needs are the author's to decide: markdown-processes.ts ends this one when
// it takes too much. Plain JavaScript, because it is forked by its path. Requests (markdown-serve.mjs has the rest):
//   {blocks: text}    → {text (normalised), cuts: Int32Array of (kind, level, from, to, apart), titles}
//   {words: [text]}   → {words: [text]}
import MarkdownIt from "markdown-it";
import { serve } from "./markdown-serve.mjs";

/** What stands deeper inside lists and quotes is not looked into; it stays part of its block. */
const NESTING_MAX = 20;
/** A list item or a quote that is longer is cut where its own blocks begin: a chunk's length. */
const WHOLE_MAX_CHARS = 1200;
/** Of a heading's source, so that reading its words takes no longer than it is worth. */
const TITLE_SOURCE_MAX_CHARS = 1000;

/** A document of more blocks (a hundred characters each in the largest) is cut at every second, third … only. */
const BLOCKS_MAX = 5_000;

/** As in markdown.ts. */
const KINDS = { text: 0, heading: 1, fence: 2, item: 3 };
const TEXT = { kind: KINDS.text, level: 0, title: "" };
const LISTS = new Set(["bullet_list_open", "ordered_list_open"]);
const CONTAINERS = new Set(["list_item_open", "blockquote_open"]);

const markdown = new MarkdownIt("default", { html: true, maxNesting: NESTING_MAX });

function blockTokens(text) {
  const tokens = [];
  markdown.block.parse(text, markdown, {}, tokens);
  return tokens;
}

/** Line endings as "\n", no byte order mark, no trailing blanks: so that equal documents are equal bytes. */
function normalise(text) {
  const body = text.startsWith("\uFEFF") ? text.slice(1) : text;
  return body.replace(/\r\n?/g, "\n").split("\n").map(withoutTrailingBlanks).join("\n");
}

/** By hand: a regular expression that looks for blanks at the end starts anew at each blank in the middle. */
function withoutTrailingBlanks(line) {
  let end = line.length;
  while (end > 0 && (line[end - 1] === " " || line[end - 1] === "\t")) end--;
  return end === line.length ? line : line.slice(0, end);
}

/** The text's blocks as lines, in order, and the headings' words. What no block claims (link definitions) is not in it. */
function parseBlocks(text, lines) {
  const blocks = [];
  const isLong = ([first, end]) => {
    let chars = 0;
    for (let at = first; at < end && chars <= WHOLE_MAX_CHARS; at++) chars += lines[at].length + 1;
    return chars > WHOLE_MAX_CHARS;
  };
  // Tokens of this level are looked at; a container that is entered has its content one level deeper.
  let level = 0;
  const tokens = blockTokens(text);
  tokens.forEach((token, at) => {
    if (token.level < level && token.nesting === -1) level = token.level;
    if (token.level !== level || token.nesting === -1 || token.map === null) return;
    if (LISTS.has(token.type) || (CONTAINERS.has(token.type) && isLong(token.map))) {
      level++;
      return;
    }
    const [first, end] = token.map;
    if (token.type === "heading_open" && level === 0) {
      const title = wordsOfInline(tokens[at + 1].content.slice(0, TITLE_SOURCE_MAX_CHARS));
      blocks.push({ kind: KINDS.heading, level: Number(token.tag.slice(1)), title, first, end });
    } else {
      const kind = token.type === "fence" ? KINDS.fence : token.type === "list_item_open" ? KINDS.item : KINDS.text;
      blocks.push({ kind, level: 0, title: "", first, end });
    }
  });
  return blocks;
}

/** At most BLOCKS_MAX of them, evenly; the ones between become part of the block before. */
function thinned(blocks) {
  const every = Math.ceil(blocks.length / BLOCKS_MAX);
  return every <= 1 ? blocks : blocks.filter((_, at) => at % every === 0);
}

/** Every line that is not blank comes into one block: what no block claims goes to one of its own. */
function cutsOf(source) {
  const text = normalise(source);
  const lines = text.split("\n");
  const offsets = [0];
  for (const line of lines) offsets.push(offsets.at(-1) + line.length + 1);
  const blocks = thinned(parseBlocks(text, lines));
  const cuts = [];
  const titles = [];
  let done = 0;
  const add = ({ kind, level, title }, from, to) => {
    let [first, end] = [from, to];
    while (first < end && lines[first] === "") first++;
    while (end > first && lines[end - 1] === "") end--;
    if (first === end) return;
    const isApart = first === 0 || lines[first - 1] === "" ? 1 : 0;
    cuts.push(kind, level, offsets[first], offsets[end] - 1, isApart);
    if (kind === KINDS.heading) titles.push(title);
    done = end;
  };
  blocks.forEach((block) => {
    if (block.first > done) add(TEXT, done, block.first);
    add(block, Math.max(block.first, done), block.end);
  });
  add(TEXT, done, lines.length);
  return { text, cuts: Int32Array.from(cuts), titles };
}

function wordsOfInline(source) {
  return textOf(markdown.parseInline(source, {}));
}

/** The words of a piece of Markdown: no markup, addresses, tags or code blocks. */
function wordsOf(text) {
  return textOf(markdown.parse(text, {}));
}

function textOf(tokens) {
  let text = "";
  for (const token of tokens) {
    if (token.type === "inline" || token.type === "image") text += `${textOf(token.children ?? [])}`;
    else if (token.type === "text" || token.type === "code_inline") text += token.content;
    else if (token.type === "html_inline") text += startsLine(token.content) ? " " : "";
    else if (token.type === "html_block") text += ` ${withoutTags(token.content)} `;
    else if (!INLINE.has(token.type)) text += " ";
  }
  return text;
}

const INLINE = new Set(["strong", "em", "s", "link"].flatMap((name) => [`${name}_open`, `${name}_close`]));
const startsLine = (tag) => /^<\/?(?:br|p|div|li|td|th|tr|h[1-6]|hr|dt|dd)\b/i.test(tag);

/** One pass: from each "<" to the next ">"; comments to their end. */
function withoutTags(html) {
  let text = "";
  let at = 0;
  for (;;) {
    const open = html.indexOf("<", at);
    if (open === -1) return text + html.slice(at);
    const isComment = html.startsWith("<!--", open);
    const close = html.indexOf(isComment ? "-->" : ">", open);
    text += `${html.slice(at, open)} `;
    if (close === -1) return text;
    at = close + (isComment ? 3 : 1);
  }
}

serve(({ words, blocks }) => (words === undefined ? cutsOf(blocks) : { words: words.map(wordsOf) }));

import { describe, expect, test } from "vitest";
import { CHARS_PER_CHUNK_MIN, CHUNK_MAX_CHARS, CHUNKS_FREE, chunkMarkdown, HEADINGS_MAX_CHARS } from "../chunker";
import { EMBEDDING_TEXT_MAX_CHARS, embeddingTexts } from "../embedding-text";
import { parseBlocks, TITLE_MAX_CHARS } from "../markdown";
import { hostileTexts } from "./hostile-markdown";

/** Deterministic prose: the same words for the same seed. */
function prose(seed: number, sentences: number): string {
  const words =
    "tenant row lock queue index outbox relay event token ledger vector chunk search query batch retry lease".split(
      " ",
    );
  let state = seed;
  const next = (): number => (state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff);
  const sentence = (): string =>
    Array.from({ length: 8 + (next() % 8) }, () => words[next() % words.length]).join(" ") + ".";
  return Array.from({ length: sentences }, sentence).join(" ");
}

const hashesOf = async (text: string): Promise<string[]> =>
  (await chunkMarkdown(text)).chunks.map(({ hash }) => hash.toString("hex"));

function manual(paragraphs: readonly string[]): string {
  return paragraphs.map((text, index) => (index % 12 === 0 ? `## Part ${index / 12}\n\n${text}` : text)).join("\n\n");
}

describe("chunking", () => {
  const paragraphs = Array.from({ length: 120 }, (_, index) => prose(index + 1, 3));

  test("gives the same chunks for the same text, whatever its line endings", async () => {
    const text = `# Title\n\n${manual(paragraphs)}`;
    const hashes = await hashesOf(text);
    expect(await hashesOf(text)).toEqual(hashes);
    expect(await hashesOf(`\uFEFF${text.replaceAll("\n", "\r\n")}`)).toEqual(hashes);
    expect(await hashesOf(text.replaceAll("\n", "   \r"))).toEqual(hashes);
  });

  test.each([0, 1, 17, 59, 60, 119])("changing paragraph %i changes its chunks and no others", async (index) => {
    const before = new Set(await hashesOf(manual(paragraphs)));
    const edited = paragraphs.with(index, `${prose(9_000 + index, 5)} An added remark.`);
    const added = (await hashesOf(manual(edited))).filter((hash) => !before.has(hash));
    expect(added.length).toBeGreaterThan(0);
    // Its own chunk; one more when the paragraph began a chunk, or now does; one more when the chunk is now too long.
    expect(added.length).toBeLessThanOrEqual(4);
    expect(before.size).toBeGreaterThan(30);
  });

  test.each([
    ["paragraphs without headings", paragraphs, "\n\n", "Short now."],
    ["the items of one list", paragraphs.map((text) => `- ${text}`), "\n", "- Short now."],
    [
      "the items of a nested list",
      paragraphs.map((text, at) => `${" ".repeat(at % 2 === 0 ? 0 : 2)}- ${text}`),
      "\n",
      "- Short.",
    ],
  ])("changes nothing else either in %s", async (_, parts, gap, edit) => {
    const before = new Set(await hashesOf(parts.join(gap)));
    const added = (await hashesOf(parts.with(40, edit).join(gap))).filter((hash) => !before.has(hash));
    expect(before.size).toBeGreaterThan(10);
    expect(added.length).toBeLessThanOrEqual(4);
  });

  test("loses no word of the text, and repeats none", async () => {
    const odd =
      "[ref]: https://a.example 'T'\n[^1]: a footnote\n\n> quoted\n> - deep\n\n1. one\n\n   two\n\n<div>\nhtml\n</div>\n\n\tindented\n\n| t |\n|---|\n| c |\n";
    const text = `# Title\n\n${manual(paragraphs)}\n\n\`\`\`ts\n${"const a = 1;\n".repeat(400)}\`\`\`\n\n${odd}`;
    const kept = (await chunkMarkdown(text)).chunks.map(({ content }) => content).join("\n");
    for (const word of new Set(text.split(/\s+/))) expect(kept).toContain(word);
    expect(kept.match(/const a = 1;/g)).toHaveLength(400);
    expect(kept.match(/quoted/g)).toHaveLength(1);
    const bare = (each: string): string => each.replaceAll(/\s|```(?:ts)?/g, "");
    expect(bare(kept)).toBe(bare(text));
  });

  test("keeps every chunk within the limit", async () => {
    const giants = [
      "x".repeat(10_000),
      prose(5, 200),
      "😀".repeat(3_000),
      `\`\`\`\n${"y".repeat(5_000)}\n\`\`\``,
      `- ${"one item of a list ".repeat(300)}`,
      `> ${"a quote ".repeat(900)}`,
    ];
    for (const giant of giants) {
      const { chunks } = await chunkMarkdown(`## Heading\n\n${giant}`);
      expect(chunks.length).toBeGreaterThan(1);
      for (const { content } of chunks) {
        expect(content.length).toBeLessThanOrEqual(CHUNK_MAX_CHARS + HEADINGS_MAX_CHARS);
        expect(content).not.toMatch(/^[\udc00-\udfff]|[\ud800-\udbff]$/);
      }
    }
  });

  test("says under which headings a chunk stands, and takes the first level-1 heading for the title", async () => {
    const text = `# Guide\n\nIntro.\n\n## Install\n\nRun it.\n\n### Windows\n\n${prose(3, 12)}\n\n${prose(4, 12)}\n\n## Use\n\nLike so.`;
    const { title, chunks } = await chunkMarkdown(text);
    expect(title).toBe("Guide");
    expect(chunks.at(-1)).toMatchObject({ heading: "", content: "## Use\n\nLike so." });
    expect(chunks.filter(({ heading }) => heading.includes("Windows")).map(({ heading }) => heading)).toContain(
      "Install > Windows",
    );
  });

  test("keeps a code fence whole when it fits and closes its pieces when it does not", async () => {
    const { chunks } = await chunkMarkdown(
      `Before.\n\n\`\`\`js\n# not a heading\nrun();\n\`\`\`\n\n\`\`\`js\n${"line();\n".repeat(500)}\`\`\``,
    );
    expect(chunks.some(({ content }) => content.includes("```js\n# not a heading\nrun();\n```"))).toBe(true);
    for (const { content } of chunks) expect((content.match(/^```/gm) ?? []).length % 2).toBe(0);
  });

  test("has nothing to say about an empty document", async () => {
    expect((await chunkMarkdown("")).chunks).toEqual([]);
    expect((await chunkMarkdown(" \n\n\t\n")).chunks).toEqual([]);
  });
});

describe("blocks", () => {
  const read = async (text: string): Promise<string[]> =>
    (await parseBlocks(text)).map(({ kind, level, title }) => [kind, level || "", title].join(" ").trim());

  test("are both kinds of heading, fences also when left open, items, and the rest as it is", async () => {
    expect(await read("One\n===\n\nTwo\n---\n### Three ###\ntext\n- a\n- b\n\n| t |\n|---|\n~~~\ncode")).toEqual([
      "heading 1 One",
      "heading 2 Two",
      "heading 3 Three",
      "text",
      "item",
      "item",
      "text",
      "fence",
    ]);
  });

  test.each([
    [
      "inline code at a line's start opens no fence",
      "``` not a fence ``` and so on\n\n# Heading",
      "text, heading 1 Heading",
    ],
    ["a fence in a list ends with its item", "- one\n  ```\n  # code\n\n# Heading", "item, heading 1 Heading"],
    [
      "a fence in a list is closed by its own mark",
      "1. one\n\n   ```sh\n   # code\n   ```\n\n2. two\n\n# H",
      "item, item, heading 1 H",
    ],
    [
      "a # inside HTML is none of ours",
      "<pre>\n# no heading\n\n# nor this\n</pre>\n\n# Heading",
      "text, heading 1 Heading",
    ],
    ["a # inside a comment neither", "<!--\n# no\n\n# no\n-->\n\n# Heading", "text, heading 1 Heading"],
    ["a # in indented code neither", "    # no\n\n# Heading", "text, heading 1 Heading"],
    [
      "a shorter fence does not close a longer one",
      "````\n```\n# no\n```\n````\n# Heading",
      "fence, heading 1 Heading",
    ],
    ["a tilde does not close a backtick", "```\n~~~\n# no\n```\n# Heading", "fence, heading 1 Heading"],
    ["a fence's info has no backtick", "```a`b\n# Heading\n", "text, heading 1 Heading"],
    ["a heading over two lines is underlined", "One\ntwo\n===\n", "heading 1 One two"],
    ["a rule after a blank line is no heading", "One\n\n---\n\nTwo", "text, text, text"],
    ["a table's rule is no heading", "| a |\n|---|\n| b |", "text"],
    ["a heading in a quote is the quote's", "> # quoted\n\n# Heading", "text, heading 1 Heading"],
    ["# without a blank is a word", "#hashtag\n\n# Heading", "text, heading 1 Heading"],
    ["seven # are words", "####### no\n\n###### Heading", "text, heading 6 Heading"],
    ["a heading without words", "#\n\n## \n\n# Heading", "heading 1, heading 2, heading 1 Heading"],
    [
      "a heading's title is its words",
      "# The `API` of **[groups](https://a.example)** &amp; <b>users</b> ##",
      "heading 1 The API of groups & users",
    ],
    ["link definitions are kept", "[a]: b\n\n# Heading", "text, heading 1 Heading"],
  ])("%s", async (_, text, expected) => {
    expect((await read(text)).join(", ")).toBe(expected);
  });
});

describe("the bounds of a document", () => {
  test.each(hostileTexts(20_000))("hold for %s", async (_, text) => {
    const { title = "", chunks } = await chunkMarkdown(text);
    expect(title.length).toBeLessThanOrEqual(TITLE_MAX_CHARS);
    expect(chunks.length).toBeLessThanOrEqual(CHUNKS_FREE + text.length / CHARS_PER_CHUNK_MIN);
    for (const { heading, content } of chunks) {
      expect(content.length).toBeLessThanOrEqual(CHUNK_MAX_CHARS + HEADINGS_MAX_CHARS);
      expect(heading.length).toBeLessThanOrEqual(6 * (TITLE_MAX_CHARS + " > ".length));
    }
    const texts = await embeddingTexts(chunks.slice(0, 8));
    for (const each of texts) expect(each.length).toBeLessThanOrEqual(EMBEDDING_TEXT_MAX_CHARS);
  });

  test("leave an ordinary document of short sections alone", async () => {
    const text = Array.from({ length: 90 }, (_, index) => `## ${index}.0.0\n\n- Fixed a bug.`).join("\n\n");
    expect((await chunkMarkdown(text)).chunks).toHaveLength(90);
  });
});

describe("the text that is embedded", () => {
  const embedded = async (heading: string, content: string): Promise<string> =>
    (await embeddingTexts([{ heading, content }]))[0] ?? "";

  test("is the words: no addresses, tags, badges or code", async () => {
    const content =
      "## Use\n\n[![ci](https://ci.example/badge.svg)](https://ci.example) See [the guide](https://docs.example/a?b=c) <b>first</b>.<br>More at https://more.example/x or <https://auto.example>.\n\n<!-- hidden --><p align='center'>Centred</p>\n\n```js\nsecret();\n```\n\nThen **call** `run`.\n\n[ref]: https://ref.example";
    expect(await embedded("Install > Linux", content)).toBe(
      "Install. Linux. Use ci See the guide first. More at or Centred Then call run.",
    );
  });

  test("is the code when there is nothing else, and never empty or endless", async () => {
    expect(await embedded("", "```js\nrun();\n```")).toContain("run();");
    expect(await embedded("", "")).not.toBe("");
    expect((await embedded("", "word ".repeat(10_000))).length).toBeLessThanOrEqual(EMBEDDING_TEXT_MAX_CHARS);
    expect(await embeddingTexts([])).toEqual([]);
  });
});

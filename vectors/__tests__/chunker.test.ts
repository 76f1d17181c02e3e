import { describe, expect, test } from "vitest";
import { CHUNK_MAX_CHARS, chunkMarkdown } from "../chunker";
import { embeddingText, EMBEDDING_TEXT_MAX_CHARS } from "../embedding-text";
import { parseBlocks } from "../markdown";

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

const hashesOf = (text: string): string[] => chunkMarkdown(text).chunks.map(({ hash }) => hash.toString("hex"));

function manual(paragraphs: readonly string[]): string {
  return paragraphs.map((text, index) => (index % 12 === 0 ? `## Part ${index / 12}\n\n${text}` : text)).join("\n\n");
}

describe("chunking", () => {
  const paragraphs = Array.from({ length: 120 }, (_, index) => prose(index + 1, 3));

  test("gives the same chunks for the same text, whatever its line endings", () => {
    const text = `# Title\n\n${manual(paragraphs)}`;
    expect(hashesOf(text)).toEqual(hashesOf(text));
    expect(hashesOf(`\uFEFF${text.replaceAll("\n", "\r\n")}`)).toEqual(hashesOf(text));
  });

  test.each([0, 1, 17, 59, 60, 119])("changing paragraph %i changes its chunks and no others", (index) => {
    const before = new Set(hashesOf(manual(paragraphs)));
    const edited = paragraphs.with(index, `${prose(9_000 + index, 5)} An added remark.`);
    const added = hashesOf(manual(edited)).filter((hash) => !before.has(hash));
    expect(added.length).toBeGreaterThan(0);
    // Its own chunk; one more when the paragraph began a chunk, or now does; one more when the chunk is now too long.
    expect(added.length).toBeLessThanOrEqual(4);
    expect(before.size).toBeGreaterThan(30);
  });

  test("changes nothing else either when the document has no headings at all", () => {
    const before = new Set(hashesOf(paragraphs.join("\n\n")));
    const added = hashesOf(paragraphs.with(40, "Short now.").join("\n\n")).filter((hash) => !before.has(hash));
    expect(added.length).toBeLessThanOrEqual(4);
  });

  test("loses no word of the text", () => {
    const text = `# Title\n\n${manual(paragraphs)}\n\n\`\`\`ts\n${"const a = 1;\n".repeat(400)}\`\`\`\n`;
    const kept = chunkMarkdown(text)
      .chunks.map(({ content }) => content)
      .join("\n");
    for (const word of new Set(text.split(/\s+/))) expect(kept).toContain(word);
    expect(kept.match(/const a = 1;/g)).toHaveLength(400);
  });

  test("keeps every chunk within the limit", () => {
    const giants = ["x".repeat(10_000), prose(5, 200), "😀".repeat(3_000), `\`\`\`\n${"y".repeat(5_000)}\n\`\`\``];
    for (const giant of giants) {
      const { chunks } = chunkMarkdown(`## Heading\n\n${giant}`);
      expect(chunks.length).toBeGreaterThan(1);
      for (const { content } of chunks) {
        expect(content.length).toBeLessThanOrEqual(CHUNK_MAX_CHARS + "## Heading\n\n".length);
        expect(content).not.toMatch(/^[\udc00-\udfff]|[\ud800-\udbff]$/);
      }
    }
  });

  test("says under which headings a chunk stands, and takes the first level-1 heading for the title", () => {
    const text = `# Guide\n\nIntro.\n\n## Install\n\nRun it.\n\n### Windows\n\n${prose(3, 12)}\n\n${prose(4, 12)}\n\n## Use\n\nLike so.`;
    const { title, chunks } = chunkMarkdown(text);
    expect(title).toBe("Guide");
    expect(chunks.at(-1)).toMatchObject({ heading: "", content: "## Use\n\nLike so." });
    expect(chunks.filter(({ heading }) => heading.includes("Windows")).map(({ heading }) => heading)).toContain(
      "Install > Windows",
    );
  });

  test("keeps a code fence whole when it fits and closes its pieces when it does not", () => {
    const { chunks } = chunkMarkdown(
      `Before.\n\n\`\`\`js\n# not a heading\nrun();\n\`\`\`\n\n\`\`\`js\n${"line();\n".repeat(500)}\`\`\``,
    );
    expect(chunks.some(({ content }) => content.includes("```js\n# not a heading\nrun();\n```"))).toBe(true);
    for (const { content } of chunks) expect((content.match(/^```/gm) ?? []).length % 2).toBe(0);
  });

  test("has nothing to say about an empty document", () => {
    expect(chunkMarkdown("").chunks).toEqual([]);
    expect(chunkMarkdown(" \n\n\t\n").chunks).toEqual([]);
  });
});

describe("blocks", () => {
  test("reads both kinds of heading, fences left open, and leaves the rest verbatim", () => {
    const kinds = parseBlocks("One\n===\n\nTwo\n---\n### Three ###\ntext\n- a\n- b\n\n| t |\n|---|\n~~~\ncode").map(
      ({ kind, level, title }) => `${kind} ${level} ${title}`.trim(),
    );
    expect(kinds).toEqual(["heading 1 One", "heading 2 Two", "heading 3 Three", "text 0", "text 0", "fence 0"]);
  });
});

describe("the text that is embedded", () => {
  test("is the words: no addresses, tags, badges or code", () => {
    const content =
      "## Use\n\n[![ci](https://ci.example/badge.svg)](https://ci.example) See [the guide](https://docs.example/a?b=c) <b>first</b>.\n\n```js\nsecret();\n```\n\nThen **call** `run`.";
    expect(embeddingText({ heading: "Install > Linux", content })).toBe(
      "Install. Linux. Use ci See the guide first . Then call run .",
    );
  });

  test("is the code when there is nothing else, and never empty or endless", () => {
    expect(embeddingText({ heading: "", content: "```js\nrun();\n```" })).toContain("run();");
    expect(embeddingText({ heading: "", content: "" })).not.toBe("");
    expect(embeddingText({ heading: "", content: "word ".repeat(10_000) }).length).toBeLessThanOrEqual(
      EMBEDDING_TEXT_MAX_CHARS,
    );
  });

  test("takes linear time for hostile input", () => {
    for (const hostile of [
      "<".repeat(400_000),
      "[".repeat(400_000),
      "![".repeat(200_000),
      "```\n".repeat(100_000),
      "a](".repeat(130_000),
      " ".repeat(400_000),
      "*_".repeat(200_000),
    ]) {
      for (const chunk of chunkMarkdown(hostile).chunks) embeddingText(chunk);
    }
  });
});

// Answers without a model, on texts alone: no database is asked.
import { describe, expect, test } from "vitest";
import { extractiveAnswer } from "../rag";
import { bestSentences, sentencesOf, stemsOf } from "../sentences";

const piece = (text: string, heading = ""): Parameters<typeof extractiveAnswer>[1][number] => ({
  ...{ documentId: "d", source: "a.md", heading, text },
});

describe("sentences", () => {
  test("are parts of the text to the letter, also where a sentence goes on in the next line", () => {
    const text =
      "# Guide\n\nPasswords are hashed\nwith argon2id. They are never kept.\n\n- One item of a list.\n- Another item.";
    const found = sentencesOf(text);
    expect(found).toEqual([
      "Passwords are hashed\nwith argon2id.",
      "They are never kept.",
      "- One item of a list.",
      "- Another item.",
    ]);
    for (const sentence of found) expect(text).toContain(sentence);
  });

  test("that hold the rare words of a question go before those that hold the common ones", () => {
    const pieces = [
      "The server starts within a second. The server listens on port 4000.",
      "The server hashes passwords with argon2id.",
    ];
    expect(bestSentences("How does the server hash a password?", pieces, 1)[0]).toMatchObject({
      piece: 1,
      text: "The server hashes passwords with argon2id.",
    });
  });

  test("of a question without any known word are the first of what was found by meaning", () => {
    expect(bestSentences("¿Dónde?", ["# T\n\nThe port is 4000 by default."], 3)).toEqual([
      { piece: 0, text: "The port is 4000 by default.", score: 0 },
    ]);
    expect(bestSentences("anything", [], 3)).toEqual([]);
  });

  test("come once, however many pieces hold them", () => {
    const same = "The port is 4000 by default.";
    expect(bestSentences("Which port?", [same, same], 4).map(({ text }) => text)).toEqual([same]);
  });

  test("know singular and plural, and none of the words that every question has", () => {
    expect([...stemsOf("How are the passwords hashed?")]).toEqual(["password", "hash"]);
    expect(stemsOf("what is the password").has("password")).toBe(true);
  });

  test.each(["a. ", "# a\n", "``` ", "\n\n", "- x\n", "a", "?!", "\u{1F600}", "\ud800"])(
    "of a piece of 8,000 characters made of %j cost less than holds up others",
    (part) => {
      const text = part.repeat(Math.ceil(8_000 / part.length));
      const startedAtMs = performance.now();
      for (let times = 0; times < 5; times++) bestSentences(`a x ${part}`, [text], 4);
      // Some milliseconds; what is quadratic takes seconds.
      expect(performance.now() - startedAtMs).toBeLessThan(2_000);
    },
  );
});

describe("the longest question about the longest pieces", () => {
  type Lookup = (this: unknown, key: unknown) => unknown;
  const places = [
    [Set.prototype, "has"],
    [Map.prototype, "has"],
    [Map.prototype, "get"],
  ] as const;

  /** How often the work looks into a set or a map: more telling than time, which a busy machine stretches. */
  function lookups(work: () => void): number {
    let looks = 0;
    const former = places.map(([owner, name]) => Reflect.get(owner, name) as Lookup);
    const replaceBy = (methodOf: (was: Lookup) => Lookup): void =>
      former.forEach((was, at) => {
        const place = places[at];
        if (place !== undefined) Reflect.set(place[0], place[1], methodOf(was));
      });
    // Nothing else runs meanwhile: the work is not asynchronous.
    replaceBy(
      (was) =>
        function (key) {
          looks++;
          return was.call(this, key);
        },
    );
    try {
      work();
    } finally {
      replaceBy((was) => was);
    }
    return looks;
  }

  // 333 words of two characters, and 20 pieces of sentences as short as they may be.
  const question = Array.from({ length: 333 }, (_, index) => (index + 36).toString(36)).join(" ");
  const sentence = (index: number): string => `${(index + 36).toString(36)} is a port. `;

  test("looks at each word a few times, not at each word for each of the question's", () => {
    expect([question.length, stemsOf(question).size]).toEqual([998, 333]);
    const text = Array.from({ length: 600 }, (_, index) => sentence(index % 333)).join("");
    const pieces = Array.from({ length: 20 }, () => text);
    const characters = 20 * text.length;
    expect(sentencesOf(text).length).toBeGreaterThan(500);
    expect(lookups(() => void bestSentences(question, pieces, 4))).toBeLessThan(5 * characters);
  });
});

describe("an extractive answer", () => {
  test("is its quotes, with where each stands", () => {
    const found = [piece("The port is 4000\nby default. PORT changes it.", "Guide > Start")];
    expect(extractiveAnswer("Which port is the default?", found)).toEqual({
      answer: "The port is 4000 by default.",
      citations: [
        { documentId: "d", source: "a.md", quote: "The port is 4000\nby default.", heading: "Guide > Start" },
      ],
    });
  });

  test.each([
    ["the first line of its piece", "", "## Page 2\n\nThe port is 4000 by default.", 2],
    ["the heading that its piece stands under", "Guide > Page 12", "The port is 4000 by default.", 12],
    [
      "the last one before it, of several",
      "Page 1",
      "## Page 2\n\nTea.\n\n## Page 3\n\nThe port is 4000.\n\n## Page 4",
      3,
    ],
    ["none, of a heading that only begins so", "Page of honour", "The port is 4000 by default.", undefined],
  ])("names the page by %s", (_what, heading, text, page) => {
    const [citation] = extractiveAnswer("Which port is the default?", [piece(text, heading)]).citations;
    expect(citation?.quote).toContain("The port is 4000");
    expect(citation?.page).toBe(page);
  });

  test("is empty where nothing was found", () => {
    expect(extractiveAnswer("Which port?", [])).toEqual({ answer: "", citations: [] });
  });
});

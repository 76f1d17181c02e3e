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

  test("is empty where nothing was found", () => {
    expect(extractiveAnswer("Which port?", [])).toEqual({ answer: "", citations: [] });
  });
});

// Questions about an organisation's documents, from the endpoint to the database; the embedder is a recording one.
import { ai, vectors } from "~encore/clients";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { reasonOf } from "../../../security/errors";
import { createCaller } from "../../../testing";
import { replaceEmbedder } from "../../../vectors/active-embedder";
import { RecordingEmbedder } from "../../../vectors/__tests__/recording-embedder";
import { putSecret } from "../../../secrets/tenant-secret";
import { secretNameOf } from "../providers/registry";

let putBack: () => void;
beforeAll(() => {
  putBack = replaceEmbedder(new RecordingEmbedder());
});
afterAll(() => putBack());

const TEXT =
  "# Security\n\n## Passwords\n\nPasswords are hashed with argon2id. They are never logged.\n\n## Ports\n\nThe port is 4000.";

describe("POST /ai/rag/query without a model", () => {
  test("answers with sentences that stand in the organisation's documents to the letter, and in nobody else's", async () => {
    const caller = createCaller();
    const { id } = await vectors.ingest({ source: "security.md", text: TEXT }, caller);
    const stranger = createCaller();
    await vectors.ingest({ source: "theirs.md", text: "Passwords are hashed by a secret of ours." }, stranger);

    const found = await ai.answerQuestion({ question: "How are passwords hashed?" }, caller);
    expect(found).toMatchObject({
      mode: "extractive",
      answer: expect.stringContaining("hashed with argon2id") as string,
    });
    expect(found.citations.length).toBeGreaterThan(0);
    for (const citation of found.citations) {
      expect(citation).toMatchObject({ documentId: id, source: "security.md" });
      expect(TEXT).toContain(citation.quote);
    }
    expect(JSON.stringify(found)).not.toContain("secret of ours");
  });

  test("answers nothing where nothing is", async () => {
    expect(await ai.answerQuestion({ question: "Which port?" }, createCaller())).toEqual({
      ...{ mode: "extractive", answer: "", citations: [] },
    });
  });

  test.each(["   ", "a\u0000b"])("refuses %j", async (question) => {
    const failure = await ai.answerQuestion({ question }, createCaller()).catch((error: unknown) => error);
    expect(reasonOf(failure)).toBe("invalid_request");
  });

  test("is not for viewers, whose questions would cost the organisation's money with a model", async () => {
    const failure = await ai
      .answerQuestion({ question: "Which port?" }, createCaller("viewer"))
      .catch((error: unknown) => error);
    expect(reasonOf(failure)).toBe("permission_denied");
  });
});

describe("GET /ai/providers", () => {
  test("shows what can be configured, and what the organisation's own key opens, to it alone", async () => {
    const owner = createCaller("owner");
    const before = await ai.listProviders(owner);
    expect(before.providers.map(({ id, configured }) => [id, configured])).toEqual([
      ["openai", false],
      ["anthropic", false],
      ["mistral", false],
    ]);
    await putSecret(owner.principal, secretNameOf("anthropic"), "sk-ant-0123456789abcdef");
    const shown = await ai.listProviders(owner);
    // What is tried first stands first.
    expect(shown.providers.map(({ id }) => id)).toEqual(["anthropic", "openai", "mistral"]);
    expect(shown.providers[0]).toMatchObject({ id: "anthropic", configured: true, key: "organisation", healthy: true });
    expect(JSON.stringify(shown)).not.toContain("sk-ant");
    expect((await ai.listProviders(createCaller("owner"))).providers[1]).toMatchObject({ configured: false });
  });
});

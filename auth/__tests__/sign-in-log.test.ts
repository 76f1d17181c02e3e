// Every way to sign in leaves a line: who, by what, when (ASVS 5.0 16.3.1); what is refused leaves the guard's, with the reason.
import { afterAll, expect, test, vi } from "vitest";
import { newId } from "../../db/ids";
import { register } from "../registration";
import { signIn } from "../sessions";

const kept = await vi.hoisted(async () => (await import("../../security/__tests__/kept-lines")).keepLines());
afterAll(kept.stop);

test("a sign-in leaves a line with account, session and how its person showed who they are, and no credential", async () => {
  const person = { email: `${newId()}@example.com`, password: "a passphrase of many words" };
  const registered = await register({ ...person, organisation: "Acme" }, new Date());
  await expect(signIn({ ...person, password: "a wrong passphrase" }, new Date(), "203.0.113.9")).rejects.toThrow();
  const session = await signIn(person, new Date(), "203.0.113.9");
  const lines = kept.lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  const signedIn = lines.filter(({ message }) => message === "signed in");
  const line = { level: "info", component: "auth", accountId: registered.user.id, amr: ["pwd"] };
  expect(signedIn).toMatchObject([line, line]);
  expect(new Set(signedIn.map(({ sessionId }) => sessionId)).size).toBe(2);
  expect(kept.lines.join("\n")).not.toContain(person.password);
  expect(kept.lines.join("\n")).not.toContain(session.refreshToken);
});

// Operators' sign-ins that are refused: nothing of the refusal tells what was wrong.
import { afterEach, describe, expect, test, vi } from "vitest";
import { platformLog } from "../../audit/platform";
import { OpenTransaction } from "../../db/open-transaction";
import { tenantIdFrom } from "../../security/principal";
import { noteTry } from "../attempts";
import { recordRefusal } from "../operators/refusal";
import { signInOperator } from "../operators/sign-in";
import { codeOf, later, logOf, makeOperator, newEmail, PASSWORD, recordRefusals, refusal, signIn } from "./staff";

describe("an operator", () => {
  afterEach(() => vi.restoreAllMocks());

  test.each([
    ["password", { password: "another passphrase of words" }],
    ["code", { code: "000000" }],
    ["length of code", { code: "1" }],
  ])("is not let in with a wrong %s, by the same answer", async (what, over) => {
    // What was refused elsewhere before.
    await recordRefusals();
    const staff = await makeOperator();
    await expect(signIn(staff, over)).rejects.toEqual(refusal("invalid_credentials"));
    await expect(signIn({ ...staff, email: newEmail() })).rejects.toEqual(refusal("invalid_credentials"));
    // Only who knew the password left a trace in the log: everybody can make others.
    await recordRefusals();
    const log = await logOf(platformLog.tenantId);
    const told = { action: "operator.session.refused", fields: { failures: 1 } };
    if (what === "password") expect(log[0]).toMatchObject({ action: "operator.account.activated" });
    else expect(log[0]).toMatchObject(told);
  });

  // Who knew the password would learn that it is right by the time of a refusal, and guess codes alone.
  test("is refused after the same statements, whatever was wrong", async () => {
    const staff = await makeOperator();
    const asked = (["query", "execute", "executeLater"] as const).map((how) =>
      vi.spyOn(OpenTransaction.prototype, how),
    );
    const statementsOf = async (over: { email?: string; password?: string; code?: string }): Promise<string[]> => {
      for (const each of asked) each.mockClear();
      await expect(signIn({ ...staff, ...(over.email && { email: over.email }) }, over)).rejects.toEqual(
        refusal("invalid_credentials"),
      );
      return asked.flatMap(({ mock }) => mock.calls.map(([text]) => text));
    };
    const wrongCode = await statementsOf({ code: "000000" });
    expect(wrongCode.length).toBeGreaterThan(2);
    expect(await statementsOf({ password: "another passphrase of words" })).toEqual(wrongCode);
    expect(await statementsOf({ password: "another passphrase of words", code: "000000" })).toEqual(wrongCode);
    expect(await statementsOf({ email: newEmail() })).toEqual(wrongCode);
    // Nobody's refusal is an organisation's, whatever its job says.
    const told = { operatorId: crypto.randomUUID(), knewPassword: true, failures: 1 };
    await expect(recordRefusal(told, tenantIdFrom(crypto.randomUUID()))).rejects.toThrow("no organisation's job");
  });

  test("who signed in has tried nothing in vain", async () => {
    const staff = await makeOperator();
    const at = later();
    const address = "203.0.116.1";
    const before = noteTry(address).rank;
    const input = { email: staff.email, password: PASSWORD, code: codeOf(staff.secret, at) };
    await signInOperator(input, at, address);
    noteTry(address);
    expect(noteTry("203.0.116.2").rank).toBe(before + 2);
  });
});

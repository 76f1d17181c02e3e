// The link that opens the console signed in: whoever has it is in, once, and only where development happens.
import { describe, expect, test } from "vitest";
import { platformLog } from "../../audit/platform";
import { systemQuery } from "../../db/tenant";
import { operatorPermissions } from "../../security/permissions";
import { createDevelopmentLink, isFromThisMachine, signInByLink } from "../operators/development-link";
import { addOperator, listOperators, resetOperator } from "../operators/operators";
import { readOperatorToken, signInOperator } from "../operators/sign-in";
import { concurrent } from "../../testing";
import { ADDRESS, logOf, makeOperator, refusal, signIn } from "./staff";

const invalid = refusal("operator_link_invalid");

describe("a link", () => {
  test("opens a session of an operator of its own once, and both stand in the installation's log", async () => {
    const link = await createDevelopmentLink();
    const { token } = await signInByLink(link, true);
    const { userID, scope } = await readOperatorToken(token);
    expect(scope).toBe(operatorPermissions.join(" "));
    await expect(signInByLink(link, true)).rejects.toEqual(invalid);
    const told = (await logOf(platformLog.tenantId)).slice(0, 2);
    expect(told.map(({ action, actor }) => [action, actor])).toEqual([
      ["operator.session.opened", `operator:${userID}`],
      ["operator.link.made", "system:command"],
    ]);
  });

  test("opens one session, whoever comes with it at once", async () => {
    const link = await createDevelopmentLink();
    const outcomes = await concurrent(4, () => signInByLink(link, true));
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  });

  test("is over after ten minutes, and when another one is made", async () => {
    const [first, second] = [await createDevelopmentLink(), await createDevelopmentLink()];
    await expect(signInByLink(first, true)).rejects.toEqual(invalid);
    const [row] = await systemQuery<{ seconds: number }>(
      "test",
      "select extract(epoch from expires_at - now())::float8 as seconds from auth.operator_link",
    );
    expect(row?.seconds).toBeGreaterThan(590);
    expect(row?.seconds).toBeLessThanOrEqual(600);
    await systemQuery("test", "update auth.operator_link set expires_at = now()");
    await expect(signInByLink(second, true)).rejects.toEqual(invalid);
  });

  test("opens nothing from elsewhere, nor in production, where none is made; and was not used by trying", async () => {
    const link = await createDevelopmentLink();
    await expect(signInByLink(link, false)).rejects.toEqual(invalid);
    for (const other of ["", `gwl_${"x".repeat(43)}`, link.replace("gwl_", "gwo_")])
      await expect(signInByLink(other, true)).rejects.toEqual(invalid);
    await expect(signInByLink(link, true, true)).rejects.toEqual(invalid);
    await expect(createDevelopmentLink({ isProduction: true })).rejects.toThrow("in production");
    await expect(signInByLink(link, true)).resolves.toMatchObject({ expiresIn: 14_400 });
  });

  test("opens nothing that a production on the same database knows, nor is one made where the database may be a production's", async () => {
    const { token } = await signInByLink(await createDevelopmentLink(), true);
    const staff = await signIn(await makeOperator());
    await expect(readOperatorToken(token, { isProduction: true })).rejects.toThrow(TypeError);
    await expect(readOperatorToken(token, { isProduction: false })).resolves.toMatchObject({ kind: "operator" });
    await expect(readOperatorToken(staff, { isProduction: true })).resolves.toMatchObject({ kind: "operator" });
    await expect(createDevelopmentLink({ isDatabaseElsewhere: true })).rejects.toThrow("operator link development");
  });

  test("makes an operator that was reset before active again, and neither command makes one of its address", async () => {
    await createDevelopmentLink();
    const email = "console@development.invalid";
    await systemQuery(
      "test",
      `update auth.operator set activated_at = null, password_hash = null, totp_sealed = null, totp_step = null,
         setup_hash = sha256('a'), setup_expires_at = now() + interval '1 hour' where email = $1`,
      [email],
    );
    const { token } = await signInByLink(await createDevelopmentLink(), true);
    await expect(readOperatorToken(token)).resolves.toMatchObject({ kind: "operator" });
    await expect(signInOperator({ email, password: "x", code: "000000" }, new Date(), ADDRESS)).rejects.toEqual(
      refusal("invalid_credentials"),
    );
    for (const spelling of [email, " Console@Development.INVALID"])
      for (const command of [addOperator, resetOperator])
        await expect(command(spelling)).rejects.toEqual(refusal("invalid_request"));
  });

  test("is the only way in as its operator: nobody knows the password", async () => {
    await createDevelopmentLink();
    await createDevelopmentLink();
    const email = "console@development.invalid";
    expect((await listOperators()).filter((operator) => operator.email === email)).toHaveLength(1);
    for (const password of ["", "console", "development"])
      await expect(signInOperator({ email, password, code: "000000" }, new Date(), ADDRESS)).rejects.toEqual(
        refusal("invalid_credentials"),
      );
  });
});

// Every other form of such headers: security/__tests__/near-door.test.ts.
test.each<[boolean, Record<string, string>]>([
  [true, { "x-forwarded-for": "::1, 127.0.0.1" }],
  [false, {}],
  [false, { "x-forwarded-for": "127.0.0.1, 192.168.0.7" }],
])("whether a request is of this machine: %s for %j", (isNear, headers) => {
  expect(isFromThisMachine(headers)).toBe(isNear);
});

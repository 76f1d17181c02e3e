// Whatever registers can be mailed: the attack that an address passes at one door and is refused at the next (what one is: mail/email.ts).
import { auth } from "~encore/clients";
import { expect, test } from "vitest";
import { systemQuery } from "../../db/tenant";
import { addOperator, removeOperator } from "../operators/operators";
import { register } from "../registration";
import { signIn } from "../sessions";
import { as } from "./callers";
import { deliverMails, mailedToken } from "./mails";
import { here, newcomer, password, reason } from "./people";

const refused = {
  code: "invalid_argument",
  details: { reason: "invalid_request", fields: { email: "is not an e-mail address" } },
};

test.each([
  "a..b@example.com",
  ".ada@example.com",
  '"ada"@example.com',
  "a,b@example.com",
  "ada(here)@example.com",
  `a@${"b".repeat(64)}.com`,
  "ada@192.0.2.1",
  "ada@example.c",
])("%s is refused wherever an address is given, and the answer says which field", async (email) => {
  const ada = await register(newcomer(), new Date());
  const caller = await as(ada);
  await expect(auth.register({ ...newcomer(), email })).rejects.toMatchObject(refused);
  await expect(auth.inviteMember({ email, role: "member" }, caller)).rejects.toMatchObject(refused);
  await expect(auth.changeEmail({ email }, caller)).rejects.toMatchObject(refused);
  await expect(auth.forgotPassword({ email })).rejects.toMatchObject(refused);
  await expect(addOperator(email)).rejects.toMatchObject(refused);
});

test.each(["o'hara+news", "zoë.müller", "用户", "J\u030cana"])(
  "%s registers, and is mailed what confirms the address",
  async (local) => {
    const email = `${local}.${crypto.randomUUID().slice(0, 8)}@bücher.example`;
    const ada = await register({ ...newcomer(), email }, new Date());
    await auth.verifyEmail({ token: await mailedToken(ada.user.email) });
    expect((await auth.me(await as(ada))).user).toMatchObject({ email: ada.user.email, emailVerified: true });
    // Any spelling of it is this account.
    const spelled = email.normalize("NFD").toUpperCase();
    expect((await signIn({ email: spelled, password }, new Date(), here)).user).toEqual(ada.user);
  },
);

test("who has an address from before that takes no mail signs in, gets another, and an operator with one can be removed", async () => {
  const ada = await register(newcomer(), new Date());
  await deliverMails();
  const email = `a..${crypto.randomUUID()}@example.com`;
  await systemQuery("test", "update auth.account set email = $2 where id = $1", [ada.user.id, email]);
  const again = await signIn({ email: email.toUpperCase(), password }, new Date(), here);
  const { email: better } = newcomer();
  await auth.changeEmail({ email: better }, await as(again));
  await auth.confirmEmail({ token: await mailedToken(better) });
  expect((await auth.me(await as(again))).user?.email).toBe(better);
  const staff = newcomer().email;
  await addOperator(staff);
  await systemQuery("test", "update auth.operator set email = $2 where email = $1", [staff, email]);
  await removeOperator(email);
  expect(await reason(removeOperator(email))).toBe("operator_not_found");
});

// Who changes something that matters is asked in the same transaction whether they still may. Nobody forgets it: every endpoint of
// these that changes something in somebody's name is executed by a session that has ended, or stands here with the reason why
// it gains nothing there.
import { expect, test } from "vitest";
import { changingRows } from "../../security/__tests__/endpoint-rows";
import { accountChanges } from "./account-changes";
import { organisationChanges } from "./organisation-changes";

/** Who may act, what lets them in, what is secret, what may be spent, who is told elsewhere. */
const matters = /^(?:auth|secrets)\.|^ai\.\w+Budget$|^webhooks\.\w+(?:Endpoint|Source)$/;

const ASKS = "changes nothing: what it answers is asked for by";
const STAFF = "an operator's session is asked for in the database with each request";

const notAsked: Record<string, string> = {
  "auth.beginIdentity": `${ASKS} POST /auth/identities, which is asked again`,
  "auth.beginPasskey": `${ASKS} POST /auth/passkeys, which is asked again`,
  "auth.stepUpOidc": `${ASKS} POST /auth/step-up, which is asked again`,
  "auth.stepUpPasskey": `${ASKS} POST /auth/step-up, which is asked again`,
  "auth.stepUpMail":
    "mails a code to the account's own address, good in this session alone, which POST /auth/step-up asks for",
  "auth.sendVerificationMail": "mails a link to the account's own address",
  "auth.operatorLogout": STAFF,
  "auth.operatorRemoveFlag": STAFF,
  "auth.operatorSetFlag": STAFF,
  "auth.operatorStepUp": STAFF,
};

test("all that matters is asked again, or there is a reason why not", () => {
  const rows = changingRows.filter(({ name }) => matters.test(name));
  expect(rows.length).toBeGreaterThan(50);
  const names = rows.map(({ name }) => name);
  const asked = [...Object.keys(organisationChanges), ...Object.keys(accountChanges)];
  expect(names.filter((name) => !asked.includes(name) && !(name in notAsked))).toEqual([]);
  expect([...asked, ...Object.keys(notAsked)].filter((name) => !names.includes(name))).toEqual([]);
  expect(asked.filter((name) => name in notAsked)).toEqual([]);
});

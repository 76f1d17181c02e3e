// Messages without HTTP: who stays and who leaves. Not in the main suite, because loading the SDK takes a second.
import { expect, test } from "vitest";
import { permissionsOf } from "../../../security/permissions";
import type { Caller } from "../../../security/principal";
import { answerMessage } from "../server";

const caller = { kind: "user", tenantId: null, permissions: permissionsOf("viewer") } as unknown as Caller;
const message = (body: object, left = new AbortController().signal) => ({
  ...{ headers: { "content-type": "application/json" }, body, caller, left },
  apiUrl: "http://localhost:4000",
});
const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };

test("a client that stays is answered, as JSON, whatever it accepts", async () => {
  const answer = await answerMessage(message(list));
  expect(answer?.headers.get("content-type")).toBe("application/json");
  const { result } = (await answer?.json()) as { result: { tools: { name: string }[] } };
  expect(result.tools.map(({ name }) => name)).toEqual(["search", "fetch"]);
});

test("a client that left is not answered, before and while its message is", async () => {
  expect(await answerMessage(message(list, AbortSignal.abort()))).toBeUndefined();
  const leaving = new AbortController();
  const answer = answerMessage(message(list, leaving.signal));
  leaving.abort();
  expect(await answer).toBeUndefined();
});

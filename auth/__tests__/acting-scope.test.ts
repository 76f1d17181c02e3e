// What a change sees, once whoever asks for it was found to be who still may.
import { expect, test } from "vitest";
import { withActing } from "../../db/acting";
import { registerCaller } from "../../testing";
import "../acting-now";

test("who is asked whether they may still act acts as their organisation alone, whatever a statement forgets", async () => {
  const [ada, bob] = [await registerCaller(), await registerCaller()];
  const asked = { permission: "webhook.manage", reason: "change-webhooks" } as const;
  const seen = await withActing(ada.principal, asked, async (tx) => ({
    logs: await tx.query<{ tenant: string }>(`select distinct tenant_id::text as tenant from audit.entry`),
    sessions: await tx.query(`select id from auth.session`),
    changed: await tx.execute(`update auth.organisation set name = 'taken' where id = $1`, [bob.principal.tenantId]),
  }));
  expect(seen).toEqual({ logs: [{ tenant: ada.principal.tenantId }], sessions: [], changed: 0 });
});

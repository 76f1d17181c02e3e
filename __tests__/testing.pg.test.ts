// Transactions that wait for each other: only where they are really at once do both come through.
import { expect, it } from "vitest";
import { withTenant } from "../db/tenant";
import { concurrent, createCaller } from "../testing";

it("concurrent() has transactions open at once on a server", async () => {
  const arrived: (() => void)[] = [];
  const all = new Promise<void>((resolve) => arrived.push(resolve));
  let open = 0;
  const ended = await concurrent(5, () =>
    withTenant(createCaller(), async (tx) => {
      await tx.query("select 1");
      if (++open === 5) arrived.forEach((go) => go());
      await all;
    }),
  );
  expect(ended.map(({ status }) => status)).toEqual(Array<string>(5).fill("fulfilled"));
});

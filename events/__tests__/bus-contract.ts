// What every bus promises, run over each implementation.
import { afterAll, describe, expect, test, vi } from "vitest";
import { z } from "zod";
import { newId } from "../../db/ids";
import { withTenant } from "../../db/tenant";
import { tenantIdFrom } from "../../security/principal";
import { defineNotice, type Bus, type Notice } from "../buses/bus";

const data = z.object({ n: z.number() });
let types = 0;
/** One that no other test hears of. */
export const newNotice = (category: "billing" | "security" | "system" | "user" = "system") =>
  defineNotice({ category, type: `test.notice.n${++types}-${newId().slice(-6)}`, data });

const WITHIN = { timeout: 45_000 };

export function defineBusContract(name: string, bus: Bus): void {
  const collect = (into: number[]) => async (notice: Notice<{ n: number }>) => void into.push(notice.data.n);
  const numbers = (count: number) => Array.from({ length: count }, (_, n) => n);

  describe(`the bus ${name}`, () => {
    afterAll(() => bus.close());

    test("brings each notice to every subscriber that is there, in order, and to none of another type", async () => {
      const [notice, other] = [newNotice("billing"), newNotice("billing")];
      const [first, second, foreign]: number[][] = [[], [], []];
      await bus.publish(notice, { n: -1 });
      await bus.subscribe(notice, collect(first!));
      await bus.subscribe(notice, collect(second!));
      await bus.subscribe(other, collect(foreign!));
      for (const n of numbers(20)) await bus.publish(notice, { n });
      await vi.waitFor(() => expect([first, second]).toEqual([numbers(20), numbers(20)]), WITHIN);
      expect(foreign).toEqual([]);
    });

    test("brings each notice to one subscriber of a group", async () => {
      const notice = newNotice("user");
      const [first, second, other]: number[][] = [[], [], []];
      await bus.subscribe(notice, collect(first!), { group: "mailers" });
      await bus.subscribe(notice, collect(second!), { group: "mailers" });
      await bus.subscribe(notice, collect(other!), { group: "others" });
      for (const n of numbers(40)) await bus.publish(notice, { n });
      await vi.waitFor(() => expect([...first!, ...second!].sort((a, b) => a - b)).toEqual(numbers(40)), WITHIN);
      await vi.waitFor(() => expect(other).toEqual(numbers(40)), WITHIN);
    });

    test("tells tenant, id and what was published, as a copy of the reader's own", async () => {
      const notice = newNotice("security");
      const seen: Notice<{ n: number }>[] = [];
      await bus.subscribe(notice, async (one) => {
        seen.push({ ...one, data: { ...one.data } });
        one.data.n = 0;
      });
      await bus.subscribe(notice, async (one) => void seen.push(one));
      const tenantId = tenantIdFrom(newId());
      const id = await bus.publish(notice, { n: 7 }, tenantId);
      await vi.waitFor(() => expect(seen).toHaveLength(2), WITHIN);
      for (const one of seen) expect(one).toEqual({ id, type: notice.type, tenantId, data: { n: 7 } });
    });

    test("tries a handler that fails again, three times in all, and goes on with the next", async () => {
      const notice = newNotice();
      const [tried, others]: number[][] = [[], []];
      await bus.subscribe(
        notice,
        async ({ data: { n } }) => {
          tried!.push(n);
          if (n === 0 || (n === 1 && tried!.filter((other) => other === 1).length === 1)) throw new Error("not now");
        },
        { group: "failing" },
      );
      await bus.subscribe(notice, collect(others!));
      for (const n of numbers(3)) await bus.publish(notice, { n });
      await vi.waitFor(() => expect(tried).toEqual([0, 0, 0, 1, 1, 2]), WITHIN);
      await vi.waitFor(() => expect(others).toEqual(numbers(3)), WITHIN);
    });

    test("does not wait for a handler that hangs, nor let it hold up another", async () => {
      const notice = newNotice();
      const others: number[] = [];
      let release = (): void => undefined;
      const hanging = await bus.subscribe(notice, () => new Promise<void>((resolve) => (release = resolve)));
      await bus.subscribe(notice, collect(others));
      for (const n of numbers(5)) await bus.publish(notice, { n });
      await vi.waitFor(() => expect(others).toEqual(numbers(5)), WITHIN);
      const closed = hanging.close();
      release();
      await closed;
    });

    test("brings nothing to who has left, and handles outside of the transaction that published", async () => {
      const notice = newNotice();
      const [left, tried, stayed]: number[][] = [[], [], []];
      const leaving = await bus.subscribe(notice, collect(left!));
      const scope = { tenantId: tenantIdFrom(newId()) };
      await bus.subscribe(notice, async ({ data: { n } }) => {
        tried!.push(n);
        await withTenant(scope, (tx) => tx.query("select 1"));
        stayed!.push(n);
      });
      await leaving.close();
      await withTenant(scope, async (tx) => {
        await tx.query("select 1");
        await bus.publish(notice, { n: 1 });
      });
      await vi.waitFor(() => expect(stayed).toEqual([1]), WITHIN);
      expect(left).toEqual([]);
      // Inside of a transaction it would have been refused, and tried again.
      expect(tried).toEqual([1]);
    });

    test("refuses what does not fit, what is too long, and names that are none", async () => {
      const notice = newNotice();
      await expect(bus.publish(notice, { n: "1" } as never)).rejects.toThrow("number");
      const wordy = defineNotice({ category: "user", type: "test.notice.wordy", data: z.string() });
      await expect(bus.publish(wordy, "x".repeat(17_000))).rejects.toThrow("16384 bytes");
      await expect(bus.subscribe(notice, async () => undefined, { group: "No Group" })).rejects.toThrow("lower case");
      expect(() => defineNotice({ category: "user", type: "nothing", data })).toThrow("service.noun.verb");
    });
  });
}

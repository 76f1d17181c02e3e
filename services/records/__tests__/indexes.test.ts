// What lists may be asked for is what an index serves, for every kind of record.
import { expect, test } from "vitest";
import { systemQuery } from "../../../db/tenant";
import type { Column, Resource } from "../../../db/listing/resource";
import { budgets } from "../store/budgets";
import { categories } from "../store/categories";
import { accounts } from "../store/accounts";
import { orders } from "../store/orders";
import { products } from "../store/products";
import { transactions } from "../store/transactions";

const kinds = { categories, products, orders, accounts, transactions, budgets } as unknown as Record<string, Resource>;

test.each(Object.entries(kinds))(
  "each filter and order of %s begins an index behind the tenant",
  async (_name, kind) => {
    const [schema, table] = kind.table.split(".");
    const found = await systemQuery<{ indexdef: string }>(
      "test",
      "select indexdef from pg_indexes where schemaname = $1 and tablename = $2",
      [schema, table],
    );
    const begins = ({ sql }: Column): boolean => found.some(({ indexdef }) => indexdef.includes(`(tenant_id, ${sql}`));
    const asked = Object.values<Column>(kind.columns).filter(
      ({ operators, isSortable }) => operators.length > 0 || isSortable,
    );
    expect(asked.length).toBeGreaterThan(2);
    expect(asked.filter((column) => !begins(column)).map(({ sql }) => sql)).toEqual([]);
  },
);

// Whole lists of each kind of record, as CSV or lines of JSON.
import { api } from "encore.dev/api";
import type { ServerResponse } from "node:http";
import { enterExport } from "../../../audit/export-turns";
import { beginReading } from "../../../db/acting";
import type { ListedRow, Resource } from "../../../db/listing/resource";
import { downloadHeaders } from "../../../security/headers";
import type { Permission } from "../../../security/permissions";
import { currentPrincipal } from "../../../security/principal";
import { readExport, writeList } from "../list-export";
import { accounts } from "../store/accounts";
import { budgets } from "../store/budgets";
import { categories } from "../store/categories";
import { orders } from "../store/orders";
import { products } from "../store/products";
import { transactions } from "../store/transactions";

const contentTypes = {
  jsonl: "application/x-ndjson; charset=utf-8",
  csv: "text/csv; charset=utf-8; header=present",
} as const;

async function send<Row extends ListedRow>(
  name: string,
  resource: Resource<Row>,
  permission: Permission,
  to: ServerResponse,
): Promise<void> {
  const principal = currentPrincipal();
  const wanted = readExport(resource);
  const leave = enterExport(principal);
  try {
    const reading = await beginReading(principal, permission);
    const begin = (): void => {
      to.setHeader("content-type", contentTypes[wanted.format]);
      const headers = downloadHeaders(`${name}.${wanted.format}`);
      for (const [header, value] of Object.entries(headers)) to.setHeader(header, value);
    };
    await writeList(principal, resource, wanted, { to, reading, begin });
  } finally {
    leave();
  }
}

/** The organisation's products that fit, all of them: `format=csv` or `jsonl`, and of the list `sort`, `fields`, `include`, `deleted` and its filters. */
export const exportProducts = api.raw(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/api/v1/products/export",
    tags: ["can:catalogue.read", "limit:export"],
  },
  (_req, resp) => send("products", products, "catalogue.read", resp),
);

/** The organisation's categories that fit, all of them: `format=csv` or `jsonl`, and of the list `sort`, `fields`, `include`, `deleted` and its filters. */
export const exportCategories = api.raw(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/api/v1/categories/export",
    tags: ["can:catalogue.read", "limit:export"],
  },
  (_req, resp) => send("categories", categories, "catalogue.read", resp),
);

/** The organisation's orders that fit, all of them: `format=csv` or `jsonl`, and of the list `sort`, `fields`, `include`, `deleted` and its filters. */
export const exportOrders = api.raw(
  { expose: true, auth: true, method: "GET", path: "/api/v1/orders/export", tags: ["can:order.read", "limit:export"] },
  (_req, resp) => send("orders", orders, "order.read", resp),
);

/** The organisation's accounts that fit, all of them: `format=csv` or `jsonl`, and of the list `sort`, `fields`, `include`, `deleted` and its filters. */
export const exportAccounts = api.raw(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/api/v1/accounts/export",
    tags: ["can:ledger.read", "limit:export"],
  },
  (_req, resp) => send("accounts", accounts, "ledger.read", resp),
);

/** The organisation's transactions that fit, all of them: `format=csv` or `jsonl`, and of the list `sort`, `fields`, `include`, `deleted` and its filters. */
export const exportTransactions = api.raw(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/api/v1/transactions/export",
    tags: ["can:ledger.read", "limit:export"],
  },
  (_req, resp) => send("transactions", transactions, "ledger.read", resp),
);

/** The organisation's budgets that fit, all of them: `format=csv` or `jsonl`, and of the list `sort`, `fields`, `include`, `deleted` and its filters. */
export const exportBudgets = api.raw(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/api/v1/budgets/export",
    tags: ["can:ledger.read", "limit:export"],
  },
  (_req, resp) => send("budgets", budgets, "ledger.read", resp),
);

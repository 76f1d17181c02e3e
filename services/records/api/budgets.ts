// The endpoints of budgets.
import { api, type Header, type HttpStatus, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { newId } from "../../../db/ids";
import { parseInput } from "../../../security/input";
import { budgetKind, createBudget as create, patchBudget, restoreBudget as restore } from "../budgets";
import { deleteRecord } from "../changes";
import { budgetPatch, newBudget } from "../input";
import { listRecords } from "../../../db/listing/lists";
import { readIncludes } from "../../../db/listing/listing";
import { etagOf } from "../precondition";
import { acting, changeOf, createdAt, readRecord } from "../requests";
import { shownRecord } from "../../../db/listing/resource";
import { budgets, type BudgetRow } from "../store/budgets";

interface SpentPeriod {
  startsAt: string;
  /** The next one starts then. */
  endsAt: string;
  /** What the account got in it, at most what can be counted exactly; below nought where more was given back. */
  spentMinor: number;
}

interface BudgetResponse {
  id: string;
  /** Counts up with each change, but not with what is spent. */
  version: number;
  name: string;
  /** What the account gets in the currency is spent. */
  accountId: string;
  /** ISO 4217. */
  currency: string;
  /** Of each period, in the currency's smallest unit. */
  amountMinor: number;
  period: "month" | "quarter" | "year";
  /** IANA's name of the zone whose calendar cuts the periods. */
  timeZone: string;
  /** At how many per cent of the amount `records.budget.exceeded` tells, once a period each. */
  thresholds: number[];
  /** The period of now. */
  current: SpentPeriod;
  /** If `include` names it: the last 24 in which something was booked, the last first. */
  periods?: SpentPeriod[];
  /** ISO 8601. */
  createdAt: string;
  updatedAt: string;
  /** Since when it is deleted. */
  deletedAt?: string;
  /** What If-Match takes. */
  etag?: Header<"ETag">;
}

/** In a list: the fields that the request names, or all. */
interface ListedBudget {
  id: string;
  version: number;
  name?: string;
  accountId?: string;
  currency?: string;
  amountMinor?: number;
  period?: "month" | "quarter" | "year";
  timeZone?: string;
  thresholds?: number[];
  current?: SpentPeriod;
  periods?: SpentPeriod[];
  createdAt?: string;
  updatedAt?: string;
  deletedAt?: string;
}

const withEtag = (row: BudgetRow): BudgetResponse => ({ ...shownRecord(row), etag: etagOf(row) });

interface CreatedBudget extends BudgetResponse {
  /** 201. */
  status: HttpStatus;
  /** Where it is read. */
  location: Header<"Location">;
}

const created = (row: BudgetRow): CreatedBudget => createdAt("/api/v1/budgets", withEtag(row));

interface CreateBudgetRequest {
  name: string & MinLen<1> & MaxLen<800>;
  accountId: string;
  /** ISO 4217. */
  currency: string & MinLen<3> & MaxLen<3>;
  amountMinor: number & Min<1> & Max<9007199254740991>;
  period: "month" | "quarter" | "year";
  /** IANA's name, like `Europe/Berlin`. */
  timeZone: string & MinLen<1> & MaxLen<64>;
  /** In per cent, `[100]` if not given. */
  thresholds?: number[] & MinLen<1> & MaxLen<5>;
}

/** Makes a budget for what an account gets. It counts what is booked from the period of now on. */
export const createBudget = api(
  { expose: true, auth: true, method: "POST", path: "/api/v1/budgets", tags: ["can:ledger.write", "idempotent"] },
  async (req: CreateBudgetRequest): Promise<CreatedBudget> => {
    return created(await create(acting().principal, newId(), parseInput(newBudget, req)));
  },
);

interface GetBudgetRequest {
  id: string;
  /** What comes with it: `periods`. */
  include?: Query<string>;
}

/** A budget, with what is spent of it. */
export const getBudget = api(
  { expose: true, auth: true, method: "GET", path: "/api/v1/budgets/:id", tags: ["can:ledger.read"] },
  async ({ id, include }: GetBudgetRequest): Promise<BudgetResponse> => {
    const includes = readIncludes(budgets, include);
    const row = await readRecord(acting(), budgets, { id, includes }, budgetKind.missing);
    return includes.length === 0 ? withEtag(row) : shownRecord(row);
  },
);

interface ListBudgetsRequest {
  /** From 1, instead of a cursor, for the first ten thousand. */
  page?: Query<number & Min<1> & Max<10001>>;
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `createdAt`, `name`, both with a comma between, each with `-` before it for downwards. `-createdAt` if not given. */
  sort?: Query<string & MaxLen<200>>;
  /** `next` of the page before. */
  cursor?: Query<string & MaxLen<4096>>;
  /** Names of fields, with commas between; all if not given. `id` and `version` are always there. */
  fields?: Query<string & MaxLen<400>>;
  /** What comes with each: `periods`. */
  include?: Query<string & MaxLen<200>>;
  /** Those that were deleted, instead. */
  deleted?: Query<boolean>;
  /** `eq.`, or `in.` with commas between. */
  id?: Query<string[]>;
  /** `eq.`, `in.`, `starts.`: each filter that is given holds. */
  name?: Query<string[]>;
  /** `eq.`, `in.` */
  accountId?: Query<string[]>;
  /** `gt.`, `gte.`, `lt.`, `lte.` */
  createdAt?: Query<string[]>;
}

interface ListBudgetsResponse {
  items: ListedBudget[];
  /** Absent on the last page. */
  next?: string;
}

/** The organisation's budgets that fit, in the order asked for. */
export const listBudgets = api(
  { expose: true, auth: true, method: "GET", path: "/api/v1/budgets", tags: ["can:ledger.read"] },
  ({
    page,
    limit,
    sort,
    cursor,
    fields,
    include,
    deleted,
    ...filters
  }: ListBudgetsRequest): Promise<ListBudgetsResponse> =>
    listRecords(acting().principal, budgets, { page, limit, sort, cursor, fields, include, deleted, filters }),
);

interface PatchBudgetRequest {
  id: string;
  /** The ETag that was read, or `*`. */
  ifMatch?: Header<"If-Match">;
  name?: string & MinLen<1> & MaxLen<800>;
  amountMinor?: number & Min<1> & Max<9007199254740991>;
  thresholds?: number[] & MinLen<1> & MaxLen<5>;
}

/** Changes a budget. What it counts and by which periods stays: make another one for that. */
export const updateBudget = api(
  { expose: true, auth: true, method: "PATCH", path: "/api/v1/budgets/:id", tags: ["can:ledger.write", "idempotent"] },
  async ({ id, ifMatch, ...req }: PatchBudgetRequest): Promise<BudgetResponse> => {
    const act = acting();
    const change = changeOf(act, { id, ifMatch }, budgetKind.missing);
    return withEtag(await patchBudget(act.principal, change, parseInput(budgetPatch, req)));
  },
);

interface DeleteBudgetRequest {
  id: string;
  /** The ETag that was read, or `*`. */
  ifMatch?: Header<"If-Match">;
}

/** Deletes a budget; POST …/restore brings it back, with what was spent meanwhile. */
export const removeBudget = api(
  {
    expose: true,
    auth: true,
    method: "DELETE",
    path: "/api/v1/budgets/:id",
    tags: ["can:ledger.delete", "idempotent"],
  },
  async ({ id, ifMatch }: DeleteBudgetRequest): Promise<void> => {
    const act = acting();
    await deleteRecord(act.ask, budgetKind, changeOf(act, { id, ifMatch }, budgetKind.missing));
  },
);

interface RestoreBudgetRequest {
  id: string;
  /** The ETag that the deletion left, or `*`. */
  ifMatch?: Header<"If-Match">;
}

/** Brings a deleted budget back; a threshold that was reached meanwhile in the period of now is told. */
export const restoreBudget = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/api/v1/budgets/:id/restore",
    tags: ["can:ledger.write", "idempotent"],
  },
  async ({ id, ifMatch }: RestoreBudgetRequest): Promise<BudgetResponse> => {
    const act = acting();
    return withEtag(await restore(act.principal, changeOf(act, { id, ifMatch }, budgetKind.missing)));
  },
);

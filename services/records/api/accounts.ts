// The endpoints of the ledger's accounts.
import { api, type Header, type HttpStatus, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { newId } from "../../../db/ids";
import { parseInput } from "../../../security/input";
import { accountKind, createAccount as create } from "../accounts";
import { deleteRecord, patchRecord, restoreRecord } from "../changes";
import { accountPatch, newAccount } from "../input";
import { listRecords } from "../../../db/listing/lists";
import { etagOf } from "../precondition";
import { acting, changeOf, createdAt, readRecord } from "../requests";
import { doRows, patchingRows } from "../rows";
import { shownRecord } from "../../../db/listing/resource";
import { accounts, type AccountRow } from "../store/accounts";

interface AccountResponse {
  id: string;
  /** Counts up with each change. */
  version: number;
  /** The organisation's own word for it, which stays: no two living accounts have the same. Those with a colon are the app's. */
  code: string;
  name: string;
  kind: "asset" | "liability" | "equity" | "income" | "expense";
  /** ISO 8601. */
  createdAt: string;
  updatedAt: string;
  /** Since when it is deleted. */
  deletedAt?: string;
  /** What If-Match takes. */
  etag?: Header<"ETag">;
}

/** In a list: the fields that the request names, or all. */
interface ListedAccount {
  id: string;
  version: number;
  code?: string;
  name?: string;
  kind?: "asset" | "liability" | "equity" | "income" | "expense";
  createdAt?: string;
  updatedAt?: string;
  deletedAt?: string;
}

const withEtag = (row: AccountRow): AccountResponse => ({ ...shownRecord(row), etag: etagOf(row) });

interface CreatedAccount extends AccountResponse {
  /** 201. */
  status: HttpStatus;
  /** Where it is read. */
  location: Header<"Location">;
}

const created = (row: AccountRow): CreatedAccount => createdAt("/api/v1/accounts", withEtag(row));

interface CreateAccountRequest {
  /** Without a colon. */
  code: string & MinLen<1> & MaxLen<256>;
  name: string & MinLen<1> & MaxLen<800>;
  kind: "asset" | "liability" | "equity" | "income" | "expense";
}

/** Makes an account, to which transactions are posted. */
export const createAccount = api(
  { expose: true, auth: true, method: "POST", path: "/api/v1/accounts", tags: ["can:ledger.write", "idempotent"] },
  async (req: CreateAccountRequest): Promise<CreatedAccount> => {
    const { ask, principal } = acting();
    const account = parseInput(newAccount, req);
    return created(await create(ask, { tenantId: principal.tenantId, id: newId() }, account));
  },
);

interface GetAccountRequest {
  id: string;
}

/** An account. */
export const getAccount = api(
  { expose: true, auth: true, method: "GET", path: "/api/v1/accounts/:id", tags: ["can:ledger.read"] },
  async ({ id }: GetAccountRequest): Promise<AccountResponse> => {
    const row = await readRecord(acting(), accounts, { id }, accountKind.missing);
    return withEtag(row);
  },
);

interface ListAccountsRequest {
  /** From 1, instead of a cursor, for the first ten thousand. */
  page?: Query<number & Min<1> & Max<10001>>;
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `createdAt`, `code`, `name`: up to three, with commas between, each with `-` before it for downwards. `-createdAt` if not given. */
  sort?: Query<string & MaxLen<200>>;
  /** `next` of the page before. */
  cursor?: Query<string & MaxLen<4096>>;
  /** Names of fields, with commas between; all if not given. `id` and `version` are always there. */
  fields?: Query<string & MaxLen<400>>;
  /** Those that were deleted, instead. */
  deleted?: Query<boolean>;
  /** `eq.`, or `in.` with commas between. */
  id?: Query<string[]>;
  /** `eq.`, `in.`, `starts.`: each filter that is given holds. */
  code?: Query<string[]>;
  /** `eq.`, `in.`, `starts.` */
  name?: Query<string[]>;
  /** `eq.`, `in.` */
  kind?: Query<string[]>;
  /** `gt.`, `gte.`, `lt.`, `lte.` */
  createdAt?: Query<string[]>;
}

interface ListAccountsResponse {
  items: ListedAccount[];
  /** Absent on the last page. */
  next?: string;
}

/** The organisation's accounts that fit, in the order asked for. */
export const listAccounts = api(
  { expose: true, auth: true, method: "GET", path: "/api/v1/accounts", tags: ["can:ledger.read"] },
  ({ page, limit, sort, cursor, fields, deleted, ...filters }: ListAccountsRequest): Promise<ListAccountsResponse> =>
    listRecords(acting().principal, accounts, { page, limit, sort, cursor, fields, deleted, filters }),
);

interface PatchAccountRequest {
  id: string;
  /** The ETag that was read, or `*`. */
  ifMatch?: Header<"If-Match">;
  name?: string & MinLen<1> & MaxLen<800>;
}

/** Gives an account another name. Its code and kind stay. */
export const updateAccount = api(
  { expose: true, auth: true, method: "PATCH", path: "/api/v1/accounts/:id", tags: ["can:ledger.write", "idempotent"] },
  async ({ id, ifMatch, ...req }: PatchAccountRequest): Promise<AccountResponse> => {
    const act = acting();
    const change = changeOf(act, { id, ifMatch }, accountKind.missing);
    return withEtag(await patchRecord(act.ask, accountKind, change, parseInput(accountPatch, req)));
  },
);

interface DeleteAccountRequest {
  id: string;
  /** The ETag that was read, or `*`. */
  ifMatch?: Header<"If-Match">;
}

/** Deletes an account to which nothing was posted; POST …/restore brings it back. */
export const removeAccount = api(
  {
    expose: true,
    auth: true,
    method: "DELETE",
    path: "/api/v1/accounts/:id",
    tags: ["can:ledger.delete", "idempotent"],
  },
  async ({ id, ifMatch }: DeleteAccountRequest): Promise<void> => {
    const act = acting();
    await deleteRecord(act.ask, accountKind, changeOf(act, { id, ifMatch }, accountKind.missing));
  },
);

interface RestoreAccountRequest {
  id: string;
  /** The ETag that the deletion left, or `*`. */
  ifMatch?: Header<"If-Match">;
}

/** Brings a deleted account back. */
export const restoreAccount = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/api/v1/accounts/:id/restore",
    tags: ["can:ledger.write", "idempotent"],
  },
  async ({ id, ifMatch }: RestoreAccountRequest): Promise<AccountResponse> => {
    const act = acting();
    return withEtag(await restoreRecord(act.ask, accountKind, changeOf(act, { id, ifMatch }, accountKind.missing)));
  },
);

interface AccountRowOutcome {
  /** Its place in the request, from nought. */
  index: number;
  status: "done" | "failed";
  id?: string;
  version?: number;
  /** As `details.reason` of an error. */
  reason?: string;
  message?: string;
  fields?: { [field: string]: string };
}

interface AccountRowsResponse {
  /** One for each row, in the request's order. */
  rows: AccountRowOutcome[];
}

interface NewAccountRow {
  code: string;
  name: string;
  kind: "asset" | "liability" | "equity" | "income" | "expense";
}

interface CreateAccountsRequest {
  /** 60 at most: each is a transaction of its own inside one. */
  rows: NewAccountRow[] & MinLen<1> & MaxLen<60>;
}

/** Makes several accounts: each row has an outcome of its own, and what is refused of one leaves the others as they are. */
export const createAccounts = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/api/v1/accounts/bulk",
    tags: ["can:ledger.write", "limit:ingest", "idempotent"],
  },
  async ({ rows }: CreateAccountsRequest): Promise<AccountRowsResponse> => {
    const { principal } = acting();
    const { tenantId } = principal;
    return {
      rows: await doRows(
        principal,
        rows,
        (ask, row) => create(ask, { tenantId, id: newId() }, parseInput(newAccount, row)),
        // Of two requests that make the same ones, one waits for the other, and never both.
        { order: ({ code }) => code },
      ),
    };
  },
);

interface AccountPatchRow {
  id: string;
  /** Whatever version it has, if not given. */
  version?: number;
  name?: string;
}

interface UpdateAccountsRequest {
  /** 60 at most: each is a transaction of its own inside one. */
  rows: AccountPatchRow[] & MinLen<1> & MaxLen<60>;
}

/** Gives several accounts other names: each row has an outcome of its own, and what is refused of one leaves the others as they are. */
export const updateAccounts = api(
  {
    expose: true,
    auth: true,
    method: "PATCH",
    path: "/api/v1/accounts",
    tags: ["can:ledger.write", "limit:ingest", "idempotent"],
  },
  async ({ rows }: UpdateAccountsRequest): Promise<AccountRowsResponse> => {
    const act = acting();
    return {
      rows: await doRows(act.principal, rows, patchingRows(act, accountKind, accountPatch), { order: ({ id }) => id }),
    };
  },
);

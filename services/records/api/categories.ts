// The endpoints of categories.
import { api, type Header, type HttpStatus, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { newId } from "../../../db/ids";
import { parseInput } from "../../../security/input";
import {
  categoryKind,
  createCategory as create,
  deleteCategory,
  patchCategory,
  restoreCategory as restore,
} from "../categories";
import { categoryPatch, newCategory } from "../input";
import { listRecords } from "../../../db/listing/lists";
import { readIncludes } from "../../../db/listing/listing";
import { etagOf } from "../precondition";
import { acting, changeOf, createdAt, readRecord } from "../requests";
import { shownRecord } from "../../../db/listing/resource";
import { doRows, patchingRows } from "../rows";
import { categories, categoryLockTree, type CategoryRow } from "../store/categories";

interface ParentCategory {
  id: string;
  name: string;
  parentId?: string;
  version: number;
}

interface CategoryResponse {
  id: string;
  /** Counts up with each change. */
  version: number;
  /** Those under one parent have different ones. */
  name: string;
  /** Absent for those at the top. */
  parentId?: string;
  /** ISO 8601. */
  createdAt: string;
  updatedAt: string;
  /** Since when it is deleted. */
  deletedAt?: string;
  /** If `include` names it. */
  parent?: ParentCategory;
  /** What If-Match takes; none where something else is included, which changes by itself. */
  etag?: Header<"ETag">;
}

/** In a list: the fields that the request names, or all. */
interface ListedCategory {
  id: string;
  version: number;
  name?: string;
  parentId?: string;
  createdAt?: string;
  updatedAt?: string;
  deletedAt?: string;
  parent?: ParentCategory;
}

const withEtag = (row: CategoryRow): CategoryResponse => ({ ...shownRecord(row), etag: etagOf(row) });

interface CreatedCategory extends CategoryResponse {
  /** 201. */
  status: HttpStatus;
  /** Where it is read. */
  location: Header<"Location">;
}

const created = (row: CategoryRow): CreatedCategory => createdAt("/api/v1/categories", withEtag(row));

interface CreateCategoryRequest {
  name: string & MinLen<1> & MaxLen<800>;
  /** At the top, if not given. */
  parentId?: string;
}

/** Makes a category, at the top or below another. */
export const createCategory = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/api/v1/categories",
    tags: ["can:catalogue.write", "idempotent"],
  },
  async (req: CreateCategoryRequest): Promise<CreatedCategory> => {
    const { ask, principal } = acting();
    const category = parseInput(newCategory, req);
    return created(await create(ask, { tenantId: principal.tenantId, id: newId() }, category));
  },
);

interface GetCategoryRequest {
  id: string;
  /** What comes with it: `parent`. */
  include?: Query<string>;
}

/** A category. */
export const getCategory = api(
  { expose: true, auth: true, method: "GET", path: "/api/v1/categories/:id", tags: ["can:catalogue.read"] },
  async ({ id, include }: GetCategoryRequest): Promise<CategoryResponse> => {
    const includes = readIncludes(categories, include);
    const row = await readRecord(acting(), categories, { id, includes }, categoryKind.missing);
    return includes.length === 0 ? withEtag(row) : shownRecord(row);
  },
);

interface ListCategoriesRequest {
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
  /** What comes with each: `parent`. */
  include?: Query<string & MaxLen<200>>;
  /** Those that were deleted, instead. */
  deleted?: Query<boolean>;
  /** `eq.`, or `in.` with commas between. */
  id?: Query<string[]>;
  /** `eq.`, `in.`, `starts.`: each filter that is given holds. */
  name?: Query<string[]>;
  /** `eq.`, `in.`, `is.null` for those at the top, `is.set` */
  parentId?: Query<string[]>;
  /** `gt.`, `gte.`, `lt.`, `lte.` */
  createdAt?: Query<string[]>;
}

interface ListCategoriesResponse {
  items: ListedCategory[];
  /** Absent on the last page. */
  next?: string;
}

/** The organisation's categories that fit, in the order asked for. */
export const listCategories = api(
  { expose: true, auth: true, method: "GET", path: "/api/v1/categories", tags: ["can:catalogue.read"] },
  ({
    page,
    limit,
    sort,
    cursor,
    fields,
    include,
    deleted,
    ...filters
  }: ListCategoriesRequest): Promise<ListCategoriesResponse> =>
    listRecords(acting().principal, categories, { page, limit, sort, cursor, fields, include, deleted, filters }),
);

interface PatchCategoryRequest {
  id: string;
  /** The ETag that was read, or `*`. */
  ifMatch?: Header<"If-Match">;
  name?: string & MinLen<1> & MaxLen<800>;
  /** Moves it with all below it; null moves it to the top. */
  parentId?: string | null;
}

/** Changes a category, or moves it. */
export const updateCategory = api(
  {
    expose: true,
    auth: true,
    method: "PATCH",
    path: "/api/v1/categories/:id",
    tags: ["can:catalogue.write", "idempotent"],
  },
  async ({ id, ifMatch, ...req }: PatchCategoryRequest): Promise<CategoryResponse> => {
    const act = acting();
    const change = changeOf(act, { id, ifMatch }, categoryKind.missing);
    return withEtag(await patchCategory(act.principal, change, parseInput(categoryPatch, req)));
  },
);

interface DeleteCategoryRequest {
  id: string;
  /** The ETag that was read, or `*`. */
  ifMatch?: Header<"If-Match">;
}

/** Deletes a category that nothing stands in; POST …/restore brings it back. */
export const removeCategory = api(
  {
    expose: true,
    auth: true,
    method: "DELETE",
    path: "/api/v1/categories/:id",
    tags: ["can:catalogue.delete", "idempotent"],
  },
  async ({ id, ifMatch }: DeleteCategoryRequest): Promise<void> => {
    const act = acting();
    await deleteCategory(act.principal, changeOf(act, { id, ifMatch }, categoryKind.missing));
  },
);

interface RestoreCategoryRequest {
  id: string;
  /** The ETag that the deletion left, or `*`. */
  ifMatch?: Header<"If-Match">;
}

/** Brings a deleted category back, to where it was. */
export const restoreCategory = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/api/v1/categories/:id/restore",
    tags: ["can:catalogue.write", "idempotent"],
  },
  async ({ id, ifMatch }: RestoreCategoryRequest): Promise<CategoryResponse> => {
    const act = acting();
    return withEtag(await restore(act.principal, changeOf(act, { id, ifMatch }, categoryKind.missing)));
  },
);

interface CategoryRowOutcome {
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

interface CategoryRowsResponse {
  /** One for each row, in the request's order. */
  rows: CategoryRowOutcome[];
}

interface NewCategoryRow {
  name: string;
  parentId?: string;
}

interface CreateCategoriesRequest {
  /** 60 at most: each is a transaction of its own inside one. */
  rows: NewCategoryRow[] & MinLen<1> & MaxLen<60>;
}

/** Makes several categories: each row has an outcome of its own, and what is refused of one leaves the others as they are. */
export const createCategories = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/api/v1/categories/bulk",
    tags: ["can:catalogue.write", "limit:ingest", "idempotent"],
  },
  async ({ rows }: CreateCategoriesRequest): Promise<CategoryRowsResponse> => {
    const { principal } = acting();
    const { tenantId } = principal;
    return {
      rows: await doRows(
        principal,
        rows,
        (ask, row) => create(ask, { tenantId, id: newId() }, parseInput(newCategory, row)),
        { before: (tx) => categoryLockTree(tx, tenantId) },
      ),
    };
  },
);

interface CategoryPatchRow {
  id: string;
  /** Whatever version it has, if not given. */
  version?: number;
  name?: string;
  parentId?: string | null;
}

interface UpdateCategoriesRequest {
  /** 60 at most: each is a transaction of its own inside one. */
  rows: CategoryPatchRow[] & MinLen<1> & MaxLen<60>;
}

/** Changes several categories, one after the other: each row has an outcome of its own, and what is refused of one leaves the others as they are. */
export const updateCategories = api(
  {
    expose: true,
    auth: true,
    method: "PATCH",
    path: "/api/v1/categories",
    tags: ["can:catalogue.write", "limit:ingest", "idempotent"],
  },
  async ({ rows }: UpdateCategoriesRequest): Promise<CategoryRowsResponse> => {
    const act = acting();
    const { tenantId } = act.principal;
    return {
      rows: await doRows(act.principal, rows, patchingRows(act, categoryKind, categoryPatch), {
        before: (tx) => categoryLockTree(tx, tenantId),
      }),
    };
  },
);

// The endpoints of products.
import { api, type Header, type HttpStatus, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { newId } from "../../../db/ids";
import { parseInput } from "../../../security/input";
import { deleteRecord, restoreRecord } from "../changes";
import { newProduct, productPatch, stockMove } from "../input";
import { listRecords } from "../../../db/listing/lists";
import { readIncludes } from "../../../db/listing/listing";
import { etagOf } from "../precondition";
import { createProduct as create, moveStock, patchProduct, productKind } from "../products";
import { acting, changeOf, createdAt, readRecord } from "../requests";
import { shownRecord } from "../../../db/listing/resource";
import { doRows, patchingRows } from "../rows";
import { productLockSkus, products, productShareSkus, type ProductRow } from "../store/products";

interface ProductCategory {
  id: string;
  name: string;
  parentId?: string;
  version: number;
}

interface Product {
  id: string;
  /** Counts up with each change but of the stock. */
  version: number;
  /** The organisation's own name for it: no two living products have the same. */
  sku: string;
  name: string;
  description?: string;
  categoryId?: string;
  /** In the currency's smallest unit. */
  priceMinor: number;
  /** ISO 4217. */
  currency: string;
  stock: number;
  /** ISO 8601. */
  createdAt: string;
  updatedAt: string;
  /** Since when it is deleted. */
  deletedAt?: string;
  /** If `include` names it. */
  category?: ProductCategory;
}

interface ProductResponse extends Product {
  /** What If-Match takes; none where something else is included, which changes by itself. */
  etag?: Header<"ETag">;
}

/** In a list: the fields that the request names, or all. */
interface ListedProduct {
  id: string;
  version: number;
  sku?: string;
  name?: string;
  description?: string;
  categoryId?: string;
  priceMinor?: number;
  currency?: string;
  stock?: number;
  createdAt?: string;
  updatedAt?: string;
  deletedAt?: string;
  category?: ProductCategory;
}

const withEtag = (row: ProductRow): ProductResponse => ({ ...shownRecord(row), etag: etagOf(row) });

interface CreatedProduct extends ProductResponse {
  /** 201. */
  status: HttpStatus;
  /** Where it is read. */
  location: Header<"Location">;
}

const created = (row: ProductRow): CreatedProduct => createdAt("/api/v1/products", withEtag(row));

interface CreateProductRequest {
  sku: string & MinLen<1> & MaxLen<256>;
  name: string & MinLen<1> & MaxLen<800>;
  description?: string & MaxLen<20000>;
  categoryId?: string;
  /** In the currency's smallest unit. */
  priceMinor: number & Min<0> & Max<1000000000000>;
  /** ISO 4217. */
  currency: string & MinLen<3> & MaxLen<3>;
  /** None, if not given. */
  stock?: number & Min<0> & Max<2147483647>;
}

/** Makes a product. */
export const createProduct = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/api/v1/products",
    tags: ["can:catalogue.write", "idempotent"],
  },
  async (req: CreateProductRequest): Promise<CreatedProduct> => {
    const { ask, principal } = acting();
    const product = parseInput(newProduct, req);
    return created(await create(ask, { tenantId: principal.tenantId, id: newId() }, product));
  },
);

interface GetProductRequest {
  id: string;
  /** What comes with it: `category`. */
  include?: Query<string>;
}

/** A product. */
export const getProduct = api(
  { expose: true, auth: true, method: "GET", path: "/api/v1/products/:id", tags: ["can:catalogue.read"] },
  async ({ id, include }: GetProductRequest): Promise<ProductResponse> => {
    const includes = readIncludes(products, include);
    const row = await readRecord(acting(), products, { id, includes }, productKind.missing);
    return includes.length === 0 ? withEtag(row) : shownRecord(row);
  },
);

interface ListProductsRequest {
  /** From 1, instead of a cursor, for the first ten thousand. */
  page?: Query<number & Min<1> & Max<10001>>;
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `createdAt`, `sku`, `name`, `priceMinor`: up to three, with commas between, each with `-` before it for downwards. `-createdAt` if not given. */
  sort?: Query<string & MaxLen<200>>;
  /** `next` of the page before. */
  cursor?: Query<string & MaxLen<4096>>;
  /** Names of fields, with commas between; all if not given. `id` and `version` are always there. */
  fields?: Query<string & MaxLen<400>>;
  /** What comes with each: `category`. */
  include?: Query<string & MaxLen<200>>;
  /** Those that were deleted, instead. */
  deleted?: Query<boolean>;
  /** `eq.`, or `in.` with commas between. */
  id?: Query<string[]>;
  /** `eq.`, `in.`, `starts.`: each filter that is given holds. */
  sku?: Query<string[]>;
  /** `eq.`, `in.`, `starts.` */
  name?: Query<string[]>;
  /** `eq.`, `in.`, `is.null`, `is.set` */
  categoryId?: Query<string[]>;
  /** `eq.`, `in.`, `gt.`, `gte.`, `lt.`, `lte.` */
  priceMinor?: Query<string[]>;
  /** `eq.` */
  currency?: Query<string[]>;
  /** `gt.`, `gte.`, `lt.`, `lte.` */
  createdAt?: Query<string[]>;
}

interface ListProductsResponse {
  items: ListedProduct[];
  /** Absent on the last page. */
  next?: string;
}

/** The organisation's products that fit, in the order asked for. */
export const listProducts = api(
  { expose: true, auth: true, method: "GET", path: "/api/v1/products", tags: ["can:catalogue.read"] },
  ({
    page,
    limit,
    sort,
    cursor,
    fields,
    include,
    deleted,
    ...filters
  }: ListProductsRequest): Promise<ListProductsResponse> =>
    listRecords(acting().principal, products, { page, limit, sort, cursor, fields, include, deleted, filters }),
);

interface PatchProductRequest {
  id: string;
  /** The ETag that was read, or `*`. */
  ifMatch?: Header<"If-Match">;
  sku?: string & MinLen<1> & MaxLen<256>;
  name?: string & MinLen<1> & MaxLen<800>;
  /** Null takes it away. */
  description?: (string & MaxLen<20000>) | null;
  /** Null takes it out of its category. */
  categoryId?: string | null;
  priceMinor?: number & Min<0> & Max<1000000000000>;
  /** Together with the price. */
  currency?: string & MinLen<3> & MaxLen<3>;
  /** Refused: POST …/stock adds or takes. */
  stock?: number & Min<0> & Max<2147483647>;
}

/** Changes fields of a product. */
export const updateProduct = api(
  {
    expose: true,
    auth: true,
    method: "PATCH",
    path: "/api/v1/products/:id",
    tags: ["can:catalogue.write", "idempotent"],
  },
  async ({ id, ifMatch, ...req }: PatchProductRequest): Promise<ProductResponse> => {
    const act = acting();
    const change = changeOf(act, { id, ifMatch }, productKind.missing);
    return withEtag(await patchProduct(act.principal, change, parseInput(productPatch, req)));
  },
);

interface MoveStockRequest {
  id: string;
  /** The ETag that was read, or `*`. */
  ifMatch?: Header<"If-Match">;
  /** How many come, or with a minus go. */
  by: number & Min<-2147483647> & Max<2147483647>;
}

/** Adds to a product's stock, or takes off it what is there; it is the same version afterwards. */
export const moveProductStock = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/api/v1/products/:id/stock",
    tags: ["can:catalogue.write", "idempotent"],
  },
  async ({ id, by, ifMatch }: MoveStockRequest): Promise<ProductResponse> => {
    const act = acting();
    const place = changeOf(act, { id, ifMatch }, productKind.missing);
    return withEtag(await moveStock(act.ask, place, parseInput(stockMove, { by }).by));
  },
);

interface DeleteProductRequest {
  id: string;
  /** The ETag that was read, or `*`. */
  ifMatch?: Header<"If-Match">;
}

/** Deletes a product; POST …/restore brings it back. */
export const removeProduct = api(
  {
    expose: true,
    auth: true,
    method: "DELETE",
    path: "/api/v1/products/:id",
    tags: ["can:catalogue.delete", "idempotent"],
  },
  async ({ id, ifMatch }: DeleteProductRequest): Promise<void> => {
    const act = acting();
    await deleteRecord(act.ask, productKind, changeOf(act, { id, ifMatch }, productKind.missing));
  },
);

interface RestoreProductRequest {
  id: string;
  /** The ETag that the deletion left, or `*`. */
  ifMatch?: Header<"If-Match">;
}

/** Brings a deleted product back. */
export const restoreProduct = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/api/v1/products/:id/restore",
    tags: ["can:catalogue.write", "idempotent"],
  },
  async ({ id, ifMatch }: RestoreProductRequest): Promise<ProductResponse> => {
    const act = acting();
    return withEtag(await restoreRecord(act.ask, productKind, changeOf(act, { id, ifMatch }, productKind.missing)));
  },
);

interface ProductRowOutcome {
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

interface ProductRowsResponse {
  /** One for each row, in the request's order. */
  rows: ProductRowOutcome[];
}

interface NewProductRow {
  sku: string;
  name: string;
  description?: string;
  categoryId?: string;
  priceMinor: number;
  currency: string;
  stock?: number;
}

interface CreateProductsRequest {
  /** 60 at most: each is a transaction of its own inside one. */
  rows: NewProductRow[] & MinLen<1> & MaxLen<60>;
}

/** Makes several products: each row has an outcome of its own, and what is refused of one leaves the others as they are. */
export const createProducts = api(
  {
    expose: true,
    auth: true,
    method: "POST",
    path: "/api/v1/products/bulk",
    tags: ["can:catalogue.write", "limit:ingest", "idempotent"],
  },
  async ({ rows }: CreateProductsRequest): Promise<ProductRowsResponse> => {
    const { principal } = acting();
    const { tenantId } = principal;
    return {
      rows: await doRows(
        principal,
        rows,
        (ask, row) => create(ask, { tenantId, id: newId() }, parseInput(newProduct, row)),
        { order: ({ sku }) => sku, before: (tx) => productShareSkus(tx, tenantId) },
      ),
    };
  },
);

interface ProductPatchRow {
  id: string;
  /** Whatever version it has, if not given. */
  version?: number;
  sku?: string;
  name?: string;
  description?: string | null;
  categoryId?: string | null;
  priceMinor?: number;
  currency?: string;
  stock?: number;
}

interface UpdateProductsRequest {
  /** 60 at most: each is a transaction of its own inside one. */
  rows: ProductPatchRow[] & MinLen<1> & MaxLen<60>;
}

/** Changes several products: each row has an outcome of its own, and what is refused of one leaves the others as they are. */
export const updateProducts = api(
  {
    expose: true,
    auth: true,
    method: "PATCH",
    path: "/api/v1/products",
    tags: ["can:catalogue.write", "limit:ingest", "idempotent"],
  },
  async ({ rows }: UpdateProductsRequest): Promise<ProductRowsResponse> => {
    const act = acting();
    return {
      rows: await doRows(act.principal, rows, patchingRows(act, productKind, productPatch), {
        order: ({ id }) => id,
        before: (tx) => {
          if (rows.some(({ sku }) => sku !== undefined)) productLockSkus(tx, act.principal.tenantId);
        },
      }),
    };
  },
);

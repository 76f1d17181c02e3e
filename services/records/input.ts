// What the endpoints' types cannot say of what is brought, and rows of bulk requests, which are looked at one by one.
import { z } from "zod";
import { hasControlCharacter, hasUnseenCharacter } from "../../security/control-characters";
import { isZone } from "../../security/time-zone";
import { isWellFormed } from "../../security/well-formed";
import { readValue, wantedOf } from "../../db/listing/values";

const INTEGER_MAX = 2_147_483_647;
const PRICE_MAX = 1_000_000_000_000;
/** Those of ISO 4217 that this runtime knows. */
const currencies: ReadonlySet<string> = new Set(Intl.supportedValuesOf("currency"));

const text = (charsMax: number, isLong = false): z.ZodString =>
  // What is too long is looked at no further: one row of several may be of megabytes.
  clean(
    z
      .string()
      .min(1, "is empty")
      .max(charsMax, { error: `is longer than ${charsMax} characters`, abort: true }),
    isLong,
  );

const clean = (string: z.ZodString, isLong = false): z.ZodString =>
  string
    .refine((value) => !(isLong ? hasUnseenCharacter(value) : hasControlCharacter(value)), "has a control character")
    .refine(isWellFormed, "has half a character");

const whole = (min: number, max: number): z.ZodInt =>
  z.int("is not a whole number").min(min, `is below ${min}`).max(max, `is above ${max}`);

const currency = z.string().refine((code) => currencies.has(code), "is no currency of ISO 4217");

function momentOf(value: string, context: z.RefinementCtx): string {
  const moment = readValue("moment", value);
  if (moment !== undefined) return moment;
  context.addIssue(`is no ${wantedOf("moment").replace(/^an? /, "")}`);
  return z.NEVER;
}

const productFields = {
  sku: text(64),
  name: text(200),
  description: text(5000, true),
  categoryId: z.uuid("is no UUID"),
  priceMinor: whole(0, PRICE_MAX),
  currency,
  stock: whole(0, INTEGER_MAX),
};

export const newProduct = z.object({
  ...productFields,
  description: productFields.description.nullable().default(null),
  categoryId: productFields.categoryId.nullable().default(null),
  stock: productFields.stock.default(0),
});

export const productPatch = z
  .object({
    ...productFields,
    description: productFields.description.nullable(),
    categoryId: productFields.categoryId.nullable(),
    // No version says what was sold meanwhile.
    stock: z.undefined("is set by nobody who may have seen another: POST …/stock adds to it or takes"),
  })
  .partial()
  .refine(({ currency, priceMinor }) => currency === undefined || priceMinor !== undefined, {
    path: ["currency"],
    message: "changes together with priceMinor: the same number is another amount in it",
  });

export const stockMove = z.object({
  by: whole(-INTEGER_MAX, INTEGER_MAX).refine((by) => by !== 0, "moves nothing"),
});

const categoryFields = { name: text(200), parentId: z.uuid("is no UUID").nullable() };

export const newCategory = z.object({ ...categoryFields, parentId: categoryFields.parentId.default(null) });

export const categoryPatch = z.object(categoryFields).partial();

const reference = text(200);

export const newOrder = z.object({
  items: z.array(z.object({ productId: z.uuid("is no UUID"), quantity: whole(1, 1_000_000) })),
  // As long as the endpoint says.
  paymentToken: clean(z.string()),
  reference: reference.nullable().default(null),
});

export const orderPatch = z.object({ reference: reference.nullable() }).partial();

const accountName = text(200);

export const newAccount = z.object({
  // A colon is of the app's own.
  code: text(64).refine((code) => !code.includes(":"), "has a colon, which the app's own have"),
  name: accountName,
  kind: z.enum(["asset", "liability", "equity", "income", "expense"]),
});

export const accountPatch = z.object({ name: accountName }).partial();

const posting = {
  description: text(2000, true).nullable().default(null),
  reference: reference.nullable().default(null),
  bookedAt: z.string().transform(momentOf).nullable().default(null),
};

export const newTransaction = z.object({
  ...posting,
  entries: z
    .array(
      z.object({
        accountId: z.uuid("is no UUID"),
        amountMinor: whole(-Number.MAX_SAFE_INTEGER, Number.MAX_SAFE_INTEGER).refine(
          (amount) => amount !== 0,
          "moves nothing",
        ),
        currency,
      }),
    )
    .min(2, "are two at least")
    .max(100, "are a hundred at most"),
});

export const newReversal = z.object(posting);

const budgetFields = {
  name: text(200),
  amountMinor: whole(1, Number.MAX_SAFE_INTEGER),
  thresholds: z
    .array(whole(1, 1_000))
    .refine((thresholds) => new Set(thresholds).size === thresholds.length, "names a threshold twice"),
};

export const newBudget = z.object({
  ...budgetFields,
  thresholds: budgetFields.thresholds.default([100]),
  accountId: z.uuid("is no UUID"),
  currency,
  period: z.enum(["month", "quarter", "year"]),
  timeZone: z.string().refine(isZone, "is no zone of IANA's, like Europe/Berlin"),
});

export const budgetPatch = z.object(budgetFields).partial();

/** Of a row that changes something. */
export const rowTarget = z.object({
  id: z.uuid("is no UUID"),
  version: whole(1, Number.MAX_SAFE_INTEGER).optional(),
});

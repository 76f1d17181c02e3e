// The error catalogue of the records service.
import { defineErrors } from "../../security/errors";

export const errors = defineErrors("records", {
  product_not_found: {
    class: "not_found",
    text: "there is no product with this id",
    remedy:
      "Check the id. A deleted product is found by GET /api/v1/products?deleted=true, and for thirty days comes back by POST …/restore.",
  },
  category_not_found: {
    class: "not_found",
    text: "there is no category with this id",
    remedy: "Check the id, or the one in details.fields. What stands in a deleted category is restored after it.",
  },
  precondition_failed: {
    class: "aborted",
    text: "the record has another version than the change is of",
    remedy: "Read it again; details.version is what it has now. Elsewhere this is 412.",
  },
  sku_taken: {
    class: "already_exists",
    text: "there is a product with this SKU",
    remedy: "Choose another SKU, or change the product that has it.",
  },
  category_name_taken: {
    class: "already_exists",
    text: "there is a category of this name beside it",
    remedy: "Choose another name: those under one parent have different ones.",
  },
  category_cycle: {
    class: "failed_precondition",
    text: "the category would stand below itself",
    remedy: "Choose a parent that is not the category itself, nor below it.",
  },
  category_too_deep: {
    class: "failed_precondition",
    text: "the categories would be nested too deeply",
    remedy: "No way down may be longer than 32 categories.",
  },
  category_too_wide: {
    class: "failed_precondition",
    text: "too many categories stand below the one that would be moved down",
    remedy:
      "Move what stands below it in parts first: 10,000 may. To where it stands no deeper than now, or to the top, any may move.",
  },
  category_in_use: {
    class: "failed_precondition",
    text: "the category has products or categories in it",
    remedy: "Move or delete these first.",
  },
  order_not_found: {
    class: "not_found",
    text: "there is no order with this id",
    remedy: "Check the id. A deleted order is found by GET /api/v1/orders?deleted=true.",
  },
  order_ended: {
    class: "already_exists",
    text: "the order has come to its end",
    remedy: "Read details.state, which says to which. What is confirmed is not called off any more.",
  },
  order_under_way: {
    class: "already_exists",
    text: "the order is under way",
    remedy: "Cancel it with POST …/cancel, or wait until it is confirmed, cancelled or failed; then it can be deleted.",
  },
  order_state_conflict: {
    class: "already_exists",
    text: "an order does not come from its state to this one",
    remedy:
      "Read it again: pending, reserved, paid, confirmed follow each other, and each but the last may be cancelled or fail.",
  },
  order_currencies_differ: {
    class: "failed_precondition",
    text: "the products have prices in several currencies",
    remedy: "Order those of each currency by themselves.",
  },
  order_total_too_large: {
    class: "failed_precondition",
    text: "the order's total is larger than can be counted",
    remedy: "Order fewer: a total is at most 9007199254740991 of the currency's smallest unit.",
  },
  account_not_found: {
    class: "not_found",
    text: "there is no account with this id",
    remedy:
      "Check the id, or the one in details.fields. A deleted account is found by GET /api/v1/accounts?deleted=true.",
  },
  account_code_taken: {
    class: "already_exists",
    text: "there is an account with this code",
    remedy: "Choose another code, or post to the account that has it.",
  },
  account_in_use: {
    class: "failed_precondition",
    text: "the account has entries",
    remedy: "What was posted stays, and so does its account: give it another name, and post to another one.",
  },
  expense_budget_not_found: {
    class: "not_found",
    text: "there is no budget with this id",
    remedy: "Check the id. A deleted budget is found by GET /api/v1/budgets?deleted=true.",
  },
  budgets_too_many: {
    class: "failed_precondition",
    text: "the account has as many budgets as it may have",
    remedy:
      "An account has details.max budgets, those that were deleted in the last thirty days too: change one of them.",
  },
  transaction_not_found: {
    class: "not_found",
    text: "there is no transaction with this id",
    remedy: "Check the id.",
  },
  transaction_unbalanced: {
    class: "failed_precondition",
    text: "the entries do not come to nought",
    remedy:
      "What accounts get others give: the amounts of each currency add up to 0. details.currency is off by details.differenceMinor.",
  },
  transaction_reversed: {
    class: "already_exists",
    text: "the transaction is reversed already",
    remedy: "Read it: reversedById is the transaction that reverses it, and may be reversed itself.",
  },
  transaction_of_order: {
    class: "failed_precondition",
    text: "the transaction is of an order",
    remedy:
      "Cancel the order while it is under way: what was paid is given back then. Later, post a transaction of your own.",
  },
  payments_not_set_up: {
    class: "failed_precondition",
    text: "nobody takes payments in this installation",
    remedy: "For operators: bring a payment provider (services/records/README.md). Nothing was ordered.",
  },
  stock_insufficient: {
    class: "failed_precondition",
    text: "there are fewer in stock than this would take",
    remedy: "Take fewer; details.stock is what there is.",
  },
});

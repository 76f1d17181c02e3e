// Validation expressions as the AppModel writes them.
import type { Validation } from "../../model";
import type { ValidationExpr } from "./type";

export const toValidation = (expr: ValidationExpr): Validation =>
  "op" in expr ? { op: expr.op, of: expr.of.map(toValidation) } : expr;

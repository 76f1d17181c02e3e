// Correct: the service part stands on top.
import { guardOf } from "../security/guard";

export const declared = guardOf;

// Correct: the service part stands on top.
import { guard } from "../security/guard";

export const declared = guard;

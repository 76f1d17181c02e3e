// Breaks `layers`: telemetry's library part stands under security; only its service part may use the guard.
import { guardOf } from "../security/guard";

export const guards = guardOf;

// Breaks `layers`: telemetry's library part stands under security; only its service part may use the guard.
import { guard } from "../security/guard";

export const guards = guard;

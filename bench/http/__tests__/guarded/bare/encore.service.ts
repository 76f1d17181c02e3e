import { Service } from "encore.dev/service";
import { noteGuarded } from "../security/guard-check";

// The one service that answers without the guard, to measure what the guard costs: the check at the start is told that it is known.
noteGuarded("bare");

export default new Service("bare");

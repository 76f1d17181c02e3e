// Breaks `service-borders`: another service's rule is called through ~encore/clients, not imported.
import { sessions } from "../auth/sessions";

export const open = sessions.size;

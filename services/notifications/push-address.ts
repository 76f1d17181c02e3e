// Whether an address may be called at all, before anybody asks where its name leads.
import { assertAllowed, OutboundError, type OutboundRules } from "../../security/outbound";

export function isAllowedAddress(address: string, rules: OutboundRules): boolean {
  try {
    assertAllowed(address, rules);
    return true;
  } catch (error) {
    if (error instanceof OutboundError) return false;
    throw error;
  }
}

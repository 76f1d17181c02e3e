// Feature flags of organisations, set by the platform's staff: each time with a reason, which the organisation reads in its log.
import { api, type Header } from "encore.dev/api";
import type { MaxLen, MinLen } from "encore.dev/validate";
import { operatorReasonFrom } from "../../audit/operator";
import type { DeclaredFlag } from "../../config/flags";
import { listOverrides, removeOverride, seeOverrides, setOverride } from "../../flags/overrides";
import { currentCaller } from "../../security/principal";
import { existingOrganisation } from "../operators/looks";

interface FlagForOperator {
  name: string;
  /** boolean, or tier. */
  kind: string;
  /** What it can be set to. */
  allowed: string[];
  /** What it is where nothing else is set. */
  default: string;
  /** What it is for. */
  why: string;
}

const shownFlag = ({ name, kind, allowed, why, ...declared }: DeclaredFlag): FlagForOperator => ({
  ...{ name, kind, allowed: [...allowed], default: declared.default, why },
});

interface FlagValueCount {
  value: string;
  organisations: number;
}

interface FlagWithValues extends FlagForOperator {
  /** Other values than everybody's, and how many organisations have them. */
  values: FlagValueCount[];
}

interface StaleOverrideOfOrganisation {
  organisationId: string;
  flag: string;
  value: string;
}

interface OperatorFlagsResponse {
  flags: FlagWithValues[];
  /** Of flags or values that the app has no more: passed over, and to be deleted. The first thousand. */
  stale: StaleOverrideOfOrganisation[];
}

/** All flags that organisations may have another value of. */
export const operatorFlags = api(
  { expose: true, auth: true, method: "GET", path: "/operator/flags", tags: ["can:operator.flag.read"] },
  async (): Promise<OperatorFlagsResponse> => {
    const { flags, stale } = await listOverrides();
    return {
      flags: flags.map(({ declared, values }) => ({
        ...shownFlag(declared),
        values: values.map(({ value, organisations }) => ({ value, organisations })),
      })),
      stale: stale.map(({ tenantId, flag, value }) => ({ organisationId: tenantId, flag, value })),
    };
  },
);

interface FlagLookRequest {
  id: string;
  /** For whom and what for: the organisation reads it. */
  reason?: Header<"X-Operator-Reason">;
}

interface FlagOverride {
  flag: string;
  value: string;
  reason: string;
  changedBy: string;
  /** ISO 8601. */
  changedAt: string;
}

interface FlagOfOrganisation extends FlagForOperator {
  /** The organisation's own value. */
  override?: FlagOverride;
}

interface OrganisationFlagsResponse {
  flags: FlagOfOrganisation[];
  /** Of flags or values that the app has no more: passed over, and to be deleted. */
  stale: FlagOverride[];
}

type SeenOverride = Awaited<ReturnType<typeof seeOverrides>>["stale"][number];
const shownOverride = ({ changedAt, ...row }: SeenOverride): FlagOverride => ({
  ...row,
  changedAt: changedAt.toISOString(),
});

/** An organisation's flags. */
export const operatorOrganisationFlags = api(
  {
    expose: true,
    auth: true,
    method: "GET",
    path: "/operator/organisations/:id/flags",
    tags: ["can:operator.flag.read"],
  },
  async ({ id, reason }: FlagLookRequest): Promise<OrganisationFlagsResponse> => {
    const told = operatorReasonFrom(reason);
    const { flags, stale } = await seeOverrides(currentCaller(), await existingOrganisation(id), told);
    return {
      flags: flags.map(({ declared, override }) => ({
        ...shownFlag(declared),
        ...(override === undefined ? {} : { override: shownOverride(override) }),
      })),
      stale: stale.map(shownOverride),
    };
  },
);

interface SetFlagRequest {
  id: string;
  flag: string & MaxLen<64>;
  /** "true" or "false", or a tier. */
  value: string & MinLen<1> & MaxLen<64>;
  /** For whom and what for: the organisation reads it. */
  reason?: Header<"X-Operator-Reason">;
}

/** Another value of a flag for one organisation; every process goes by it within two seconds. */
export const operatorSetFlag = api(
  {
    expose: true,
    auth: true,
    method: "PUT",
    path: "/operator/organisations/:id/flags/:flag",
    tags: ["can:operator.flag.manage", "fresh"],
  },
  async ({ id, flag, value, reason }: SetFlagRequest): Promise<void> => {
    const told = operatorReasonFrom(reason);
    await setOverride(currentCaller(), await existingOrganisation(id), { flag, value, reason: told });
  },
);

interface RemoveFlagRequest {
  id: string;
  flag: string & MaxLen<64>;
  /** For whom and what for: the organisation reads it. */
  reason?: Header<"X-Operator-Reason">;
}

/** The organisation has what all have again. */
export const operatorRemoveFlag = api(
  {
    expose: true,
    auth: true,
    method: "DELETE",
    path: "/operator/organisations/:id/flags/:flag",
    tags: ["can:operator.flag.manage", "fresh"],
  },
  async ({ id, flag, reason }: RemoveFlagRequest): Promise<void> => {
    const told = operatorReasonFrom(reason);
    await removeOverride(currentCaller(), await existingOrganisation(id), { flag, reason: told });
  },
);

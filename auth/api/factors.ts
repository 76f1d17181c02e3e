// How a person shows who they are besides the password: step-up.
import { api } from "encore.dev/api";
import type { MaxLen, MinLen } from "encore.dev/validate";
import { callerAddress } from "../../security/caller-address";
import { currentCaller } from "../../security/principal";
import { stepUp as showAgain } from "../factors/step-up";

interface StepUpRequest {
  password: string & MinLen<1> & MaxLen<512>;
}

interface StepUpResponse {
  /** For the Authorization header, instead of the one before; the refresh token stays as it is. */
  accessToken: string;
  /** Seconds until the access token expires. */
  expiresIn: number;
}

/** Shows again who the caller is: for ten minutes they may do what is marked `fresh`. */
export const stepUp = api(
  { expose: true, auth: true, method: "POST", path: "/auth/step-up", sensitive: true, tags: ["self", "limit:auth"] },
  async (req: StepUpRequest): Promise<StepUpResponse> => showAgain(currentCaller(), req, new Date(), callerAddress()),
);

// What the gateway makes of a token, for the endpoints of a test.
import type { AuthData } from "../../security/principal";
import { authenticate } from "../gateway";
import type { SignedIn } from "../sessions";

export async function identify(token: string): Promise<AuthData> {
  const identity = await authenticate({ authorization: `Bearer ${token}` });
  if (identity === null) throw new Error("the auth handler answers null for nobody");
  return identity;
}

/** For an endpoint's last argument. */
export const as = async ({ accessToken }: Pick<SignedIn, "accessToken">): Promise<{ authData: AuthData }> => ({
  authData: await identify(accessToken),
});

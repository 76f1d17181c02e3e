// The accounts that the calling browser is signed in to, each by cookies of its own (auth/browser). These endpoints need no
// access token, because they are for accounts whose access tokens have expired too: the refresh cookie is the credential.
import { api, type Header } from "encore.dev/api";
import { callerAddress } from "../../security/caller-address";
import type { SessionResponse } from "../api";
import { listAccounts, refreshHeld, signOutHeld } from "../browser/accounts";
import { browserJar, forgetAccount, inJar, setCookies } from "../browser/answer";
import { findHeld, forgetAll } from "../browser/jar";
import { errors } from "../errors";

interface AccountOfBrowser {
  id: string;
  email: string;
  /** The one that is chosen; null for none. */
  organisation: { id: string; name: string; role: "owner" | "admin" | "member" | "viewer" | "custom" } | null;
  /** Whether it acts when a request has no X-Account-Id. */
  active: boolean;
}

interface AccountsResponse {
  accounts: AccountOfBrowser[];
}

/** The accounts that the browser is signed in to. */
export const listBrowserAccounts = api(
  {
    expose: true,
    method: "GET",
    path: "/auth/accounts",
    tags: ["public:the refresh cookies are the credential", "limit:refresh"],
  },
  async (): Promise<AccountsResponse> => ({ accounts: await listAccounts(browserJar()) }),
);

interface SwitchAccountRequest {
  userId: string;
}

/** Makes another account of the browser the active one; no password is asked for, because it is signed in. */
export const switchAccount = api(
  {
    expose: true,
    method: "POST",
    path: "/auth/accounts/switch",
    sensitive: true,
    tags: ["public:the refresh cookie is the credential", "limit:refresh"],
  },
  async ({ userId }: SwitchAccountRequest): Promise<SessionResponse> => {
    const jar = browserJar();
    const held = findHeld(jar, userId);
    if (held === undefined) throw errors.account_not_in_browser();
    return inJar(jar, await refreshHeld(held, new Date(), callerAddress()), true);
  },
);

interface SignedOutResponse {
  setCookie?: Header<"Set-Cookie">;
}

/** Signs one account of the browser out, in all its organisations; the others stay, and none becomes active by it. */
export const signOutAccount = api(
  {
    expose: true,
    method: "DELETE",
    path: "/auth/accounts/:userId",
    sensitive: true,
    tags: ["public:the refresh cookie is the credential", "limit:refresh"],
  },
  async ({ userId }: { userId: string }): Promise<SignedOutResponse> => {
    const jar = browserJar();
    const held = findHeld(jar, userId);
    if (held === undefined) throw errors.account_not_in_browser();
    await signOutHeld([held]);
    return { setCookie: forgetAccount(jar, userId) };
  },
);

/** Signs every account of the browser out, and removes their cookies. */
export const signOutBrowser = api(
  {
    expose: true,
    method: "DELETE",
    path: "/auth/accounts",
    sensitive: true,
    tags: ["public:the refresh cookies are the credential", "limit:refresh"],
  },
  async (): Promise<SignedOutResponse> => {
    await signOutHeld(browserJar().accounts);
    return { setCookie: setCookies(forgetAll()) };
  },
);

// Who is signed in decides what there is: the way in, or the frame with its views.
import { useEffect, useState } from "preact/hooks";
import { change, read, Refusal, textOf, whenSignedOut } from "./client";
import { Frame } from "./frame";
import type { Operator } from "./operator";
import { SignIn } from "./sign-in";

interface Me {
  kind: string;
  operator?: { email: string };
  permissions: string[];
}

/** What `npm start` printed, once; it leaves the address bar at once, so that it stands in no history. */
function takeLink(): string | undefined {
  const link = /^#(gwl_[\w-]+)$/.exec(location.hash)?.[1];
  if (link !== undefined) history.replaceState(null, "", location.pathname);
  return link;
}

/** Whether somebody has signed in by this browser: without it nobody is asked, and nothing fails. */
const HAS_SESSION = "groundwork.session";

async function findOperator(): Promise<Operator | undefined> {
  if (localStorage.getItem(HAS_SESSION) === null) return undefined;
  try {
    const { operator, permissions } = await read<Me>("/auth/me");
    return operator === undefined ? undefined : { email: operator.email, permissions };
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) return undefined;
    throw error;
  }
}

async function begin(link: string | undefined): Promise<Operator | undefined> {
  if (link !== undefined) {
    await change("/operator/login/link", { link, cookies: true });
    localStorage.setItem(HAS_SESSION, "yes");
  }
  return findOperator();
}

export function App() {
  const [state, setState] = useState<{ operator?: Operator; problem?: string } | undefined>(undefined);
  const enter = (link?: string): void => {
    void begin(link).then(
      (operator) => setState(operator === undefined ? {} : { operator }),
      (error: unknown) => setState({ problem: textOf(error) }),
    );
  };
  useEffect(() => {
    whenSignedOut(() => {
      localStorage.removeItem(HAS_SESSION);
      setState({ problem: "Your session is over. Sign in again." });
    });
    enter(takeLink());
    const onHash = (): void => {
      const link = takeLink();
      if (link !== undefined) enter(link);
    };
    addEventListener("hashchange", onHash);
    return () => removeEventListener("hashchange", onHash);
  }, []);

  if (state === undefined) return <p class="loading">Opening the console…</p>;
  const onSignedIn = (): void => {
    localStorage.setItem(HAS_SESSION, "yes");
    enter();
  };
  const onSignedOut = (): void => {
    localStorage.removeItem(HAS_SESSION);
    setState({});
  };
  if (state.operator === undefined) return <SignIn problem={state.problem} onSignedIn={onSignedIn} />;
  return <Frame operator={state.operator} onSignedOut={onSignedOut} />;
}

// Who is signed in decides what there is: the way in, or the frame with its views.
import { useEffect, useState } from "preact/hooks";
import { actAs, change, read, Refusal, textOf, whenSignedOut } from "./client";
import { Frame } from "./frame";
import type { Operator } from "./operator";
import { forgetPurpose } from "./purpose";
import { SignIn } from "./sign-in";

interface Me {
  kind: string;
  operator?: { id: string; email: string };
  permissions: string[];
}

/** What `npm start` printed, once; it leaves the address bar at once, so that it stands in no history. */
function takeLink(): string | undefined {
  const link = /^#(gwl_[\w-]+)$/.exec(location.hash)?.[1];
  if (link !== undefined) history.replaceState(null, "", location.pathname + location.search);
  return link;
}

/** Whether somebody has signed in by this browser: without it nobody is asked, and nothing fails. */
const HAS_SESSION = "groundwork.session";

async function findOperator(): Promise<Operator | undefined> {
  actAs(undefined);
  if (localStorage.getItem(HAS_SESSION) === null) return undefined;
  try {
    const { operator, permissions } = await read<Me>("/auth/me");
    actAs(operator?.id);
    return operator === undefined ? undefined : { email: operator.email, permissions };
  } catch (error) {
    if (error instanceof Refusal && error.status === 401) return undefined;
    throw error;
  }
}

const NOT_KEPT =
  "This browser did not keep the sign-in: it takes the cookie by HTTPS alone, where others take it from localhost as well. Use another browser, or HTTPS.";

/** Whom the browser has signed in a moment ago. @throws Error when it did not keep the cookie. */
async function findSignedIn(): Promise<Operator> {
  localStorage.setItem(HAS_SESSION, "yes");
  const operator = await findOperator();
  if (operator === undefined) throw new Error(NOT_KEPT);
  return operator;
}

/** By the link; where it is used up, whoever is signed in anyhow. @throws what the link was refused with. */
async function enterByLink(link: string): Promise<Operator> {
  try {
    await change("/operator/login/link", { link, cookies: true });
  } catch (refusal) {
    const operator = await findOperator();
    if (operator === undefined) throw refusal;
    return operator;
  }
  return findSignedIn();
}

export function App() {
  const [state, setState] = useState<{ operator?: Operator; problem?: string } | undefined>(undefined);
  const enter = (finding: Promise<Operator | undefined>): void => {
    void finding.then(
      (operator) => setState(operator === undefined ? {} : { operator }),
      (error: unknown) => setState({ problem: textOf(error) }),
    );
  };
  useEffect(() => {
    whenSignedOut(() => {
      localStorage.removeItem(HAS_SESSION);
      setState({ problem: "Your session is over. Sign in again." });
    });
    const first = takeLink();
    enter(first === undefined ? findOperator() : enterByLink(first));
    const onHash = (): void => {
      const link = takeLink();
      if (link !== undefined) enter(enterByLink(link));
    };
    addEventListener("hashchange", onHash);
    return () => removeEventListener("hashchange", onHash);
  }, []);

  if (state === undefined) return <p class="loading">Opening the console…</p>;
  const onSignedIn = (): void => enter(findSignedIn());
  const onSignedOut = (): void => {
    localStorage.removeItem(HAS_SESSION);
    forgetPurpose();
    setState({});
  };
  if (state.operator === undefined)
    return <SignIn problem={state.problem} onProblem={(problem) => setState({ problem })} onSignedIn={onSignedIn} />;
  return <Frame operator={state.operator} onSignedOut={onSignedOut} />;
}

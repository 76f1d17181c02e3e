// The frame around every view: where one can go, who is signed in, what for they look.
import type { FunctionComponent } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { change, Refusal, textOf } from "./client";
import type { Operator } from "./operator";
import { Boundary } from "./parts/boundary";
import { PurposeContext, TabPurpose, usePurposeOfTab } from "./purpose";
import { linkTo, useRoute, type Route } from "./route";
import { Consumers } from "./views/consumers";
import { DeadLetters } from "./views/dead-letters";
import { Overview } from "./views/overview";
import { Queues } from "./views/queues";

interface View {
  title: string;
  /** What the operator must hold to see anything there. */
  permission: string;
  view: FunctionComponent<{ query: Route["query"] }>;
}

const views: Readonly<Record<string, View>> = {
  overview: { title: "Overview", permission: "operator.system.read", view: Overview },
  "dead-letters": { title: "Dead letters", permission: "operator.dead_letter.read", view: DeadLetters },
  queues: { title: "Queues", permission: "operator.system.read", view: Queues },
  consumers: { title: "Consumers", permission: "operator.consumer.read", view: Consumers },
};

interface Props {
  operator: Operator;
  onSignedOut: () => void;
}

export function Frame({ operator, onSignedOut }: Props) {
  const route = useRoute();
  const purpose = usePurposeOfTab();
  const heading = useRef<HTMLHeadingElement>(null);
  const shown = Object.hasOwn(views, route.view) ? views[route.view] : undefined;
  const title = shown?.title ?? "Not found";
  // Who goes by keyboard or screen reader is told that the view is another one.
  useEffect(() => {
    document.title = `${title} · Groundwork console`;
    heading.current?.focus();
  }, [route.view, title]);

  const [problem, setProblem] = useState<string | undefined>(undefined);
  const signOut = (): void => {
    const isOver = (error: unknown): boolean => error instanceof Refusal && error.status === 401;
    void change("/operator/logout", {}).then(onSignedOut, (error: unknown) =>
      isOver(error) ? onSignedOut() : setProblem(`You are still signed in. ${textOf(error)}`),
    );
  };
  const mayLook = shown !== undefined && operator.permissions.includes(shown.permission);
  return (
    <PurposeContext.Provider value={purpose}>
      <a class="skip" href="#content" onClick={(event) => (event.preventDefault(), heading.current?.focus())}>
        Skip to the content
      </a>
      <header class="top">
        <strong class="brand">Groundwork</strong>
        <TabPurpose />
        <span class="who">{operator.email}</span>
        <button type="button" onClick={signOut}>
          Sign out
        </button>
      </header>
      <nav aria-label="Views">
        {Object.entries(views).map(([name, { title: text }]) => (
          <a key={name} href={linkTo(name)} aria-current={name === route.view ? "page" : undefined}>
            {text}
          </a>
        ))}
      </nav>
      <main id="content">
        {problem !== undefined && (
          <p class="notice critical" role="alert">
            {problem}
          </p>
        )}
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {shown === undefined && <p>There is no such view.</p>}
        {shown !== undefined && !mayLook && (
          <p class="notice warning">You do not hold the permission {shown.permission}, which this view needs.</p>
        )}
        {mayLook && (
          <Boundary key={route.view}>
            <shown.view query={route.query} />
          </Boundary>
        )}
      </main>
    </PurposeContext.Provider>
  );
}

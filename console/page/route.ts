// Where in the console one is: `#/view?name=value`, so that a place can be linked to, and back goes back.
import { useEffect, useState } from "preact/hooks";

export interface Route {
  view: string;
  query: Readonly<Record<string, string>>;
}

function readRoute(): Route {
  const [path = "", query = ""] = location.hash.replace(/^#\/?/, "").split("?", 2);
  return { view: path === "" ? "overview" : path, query: Object.fromEntries(new URLSearchParams(query)) };
}

/** The address of a place within the console. */
export function linkTo(view: string, query: Readonly<Record<string, string | undefined>> = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => (entry[1] ?? "") !== "");
  const text = new URLSearchParams(given).toString();
  return text === "" ? `#/${view}` : `#/${view}?${text}`;
}

export function goTo(view: string, query: Readonly<Record<string, string | undefined>> = {}): void {
  location.hash = linkTo(view, query);
}

export function useRoute(): Route {
  const [route, setRoute] = useState(readRoute);
  useEffect(() => {
    const onHash = (): void => setRoute(readRoute());
    addEventListener("hashchange", onHash);
    return () => removeEventListener("hashchange", onHash);
  }, []);
  return route;
}

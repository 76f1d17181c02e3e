// Templates: one text in several languages, with values put in when a notification is sent. All languages are rendered then, so that
// a value that is missing is told to the sender and not to somebody's inbox, and a template that is changed later changes nothing
// that was sent. Liquid, without files and with bounds: a template comes from an organisation, and must not hold up the others.
import { setImmediate as nextTurn } from "node:timers/promises";
import { Liquid, type Template } from "liquidjs";
import { z } from "zod";
import { wellFormed } from "../../security/well-formed";
import { parseContent, type Content, type Said } from "./content";
import { errors } from "./errors";

/** Of one field: rendering looks at the clock between its steps. */
const RENDER_MS = 25;
/** Characters that one field may make along the way. */
const MEMORY_CHARS = 30_000;
export const SOURCE_CHARS_MAX = 10_000;
/** Of all languages together. */
const RENDERED_CHARS_MAX = 100_000;

const liquid = new Liquid({
  // A value that is not given, or a filter that is not there, is a mistake of somebody's.
  ...{ strictVariables: true, strictFilters: true },
  // Nothing of a value's prototype.
  ownPropertyOnly: true,
  // Nothing of a file.
  templates: {},
  ...{ parseLimit: 3 * SOURCE_CHARS_MAX, renderLimit: RENDER_MS, memoryLimit: MEMORY_CHARS },
});

/** What templates may do with values. The others are left out: some take regular expressions or expressions, whose cost has no bound. */
const FILTERS: ReadonlySet<string> = new Set([
  ...[
    "abs",
    "append",
    "at_least",
    "at_most",
    "capitalize",
    "ceil",
    "compact",
    "date",
    "default",
    "divided_by",
    "downcase",
  ],
  ...["first", "floor", "join", "last", "lstrip", "minus", "modulo", "plus", "prepend", "remove", "replace", "reverse"],
  ...["round", "rstrip", "size", "slice", "sort", "split", "strip", "times", "truncate", "uniq", "upcase"],
]);
for (const name of Object.keys(liquid.filters)) if (!FILTERS.has(name)) delete liquid.filters[name];

export interface TemplateSource {
  language: string;
  title: string;
  body: string;
  url: string | null;
}

const reasonOf = (error: unknown): string =>
  wellFormed(error instanceof Error ? (error.message.split("\n")[0] ?? "") : "cannot be rendered").slice(0, 200);

function parse(source: string): Template[] | string {
  try {
    return liquid.parse(source);
  } catch (error) {
    return reasonOf(error);
  }
}

/** A field of a template, as a request brings it. */
export const templateText = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .superRefine((source, context) => {
      const parsed = parse(source);
      if (typeof parsed === "string") context.addIssue({ code: "custom", message: `is no template: ${parsed}` });
    });

/** @throws APIError template_not_rendered, which says what is missing */
async function renderField(source: string, data: object, where: string): Promise<string> {
  // Each field in a turn of its own: others are answered in between.
  await nextTurn();
  const parsed = parse(source);
  const refused = (problem: string): Error => errors.template_not_rendered({ fields: { [where]: problem } });
  if (typeof parsed === "string") throw refused(parsed);
  try {
    return String(liquid.renderSync(parsed, data));
  } catch (error) {
    throw refused(reasonOf(error));
  }
}

/**
 * What all languages of a template say with these values; `fallback` is said to whose language there is none of.
 * @throws APIError template_not_rendered
 */
export async function renderTemplate(
  sources: readonly TemplateSource[],
  data: object,
  fallback: string,
): Promise<Content> {
  const byLanguage: Record<string, Said> = {};
  let chars = 0;
  for (const { language, title, body, url } of sources) {
    const said = parseContent(
      {
        title: await renderField(title, data, `${language}.title`),
        body: await renderField(body, data, `${language}.body`),
        ...(url === null ? {} : { url: await renderField(url, data, `${language}.url`) }),
      },
      language,
    );
    chars += said.title.length + said.body.length + (said.url?.length ?? 0);
    if (chars > RENDERED_CHARS_MAX) throw errors.template_not_rendered({ fields: { [language]: "is too long" } });
    byLanguage[language] = said;
  }
  const first = sources[0]?.language ?? "";
  const chosen = languageFor(Object.keys(byLanguage), fallback) ?? first;
  const said = byLanguage[chosen];
  if (said === undefined) throw errors.template_not_found();
  return { ...said, language: chosen, byLanguage };
}

/** Of those there are: the language itself, or the same without its region. */
export function languageFor(there: readonly string[], wanted: string): string | undefined {
  const [base = ""] = wanted.split("-");
  return [wanted, base].find((one) => there.includes(one));
}

/** What is said to somebody of a language. */
export function saidIn(
  { byLanguage = {}, ...said }: Content,
  language: string,
): Said & { language?: string | undefined } {
  const found = languageFor(Object.keys(byLanguage), language);
  const own = found === undefined ? undefined : byLanguage[found];
  return own === undefined ? said : { ...own, language: found };
}

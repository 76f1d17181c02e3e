// Templates of the organisation.
import { api, type Query } from "encore.dev/api";
import type { Max, MaxLen, Min, MinLen } from "encore.dev/validate";
import { z } from "zod";
import { parseCursor } from "../../../db/cursor";
import { newId } from "../../../db/ids";
import { withTenant } from "../../../db/tenant";
import { parseInput } from "../../../security/input";
import { currentPrincipal } from "../../../security/principal";
import { errors } from "../errors";
import { categoryName, languageTag } from "../settings";
import { templateDelete, templateList, templatePut } from "../store/templates";
import { SOURCE_CHARS_MAX, templateText } from "../templates";

interface PutTemplateRequest {
  name: string;
  language: string;
  /** Liquid, as the two below: `Invoice {{ number }}`. */
  title: string & MinLen<1> & MaxLen<500>;
  body: string & MinLen<1> & MaxLen<10000>;
  url?: string & MaxLen<2000>;
}

const putInput = z.object({
  name: categoryName,
  language: languageTag,
  title: templateText(500),
  body: templateText(SOURCE_CHARS_MAX),
  url: templateText(2_000).optional(),
});

/** Sets what a template says in a language. */
export const putTemplate = api(
  {
    expose: true,
    auth: true,
    method: "PUT",
    path: "/notifications/templates/:name/:language",
    tags: ["can:notification.manage"],
  },
  async (req: PutTemplateRequest): Promise<void> => {
    const principal = currentPrincipal();
    const { url = null, ...given } = parseInput(putInput, req);
    const template = { id: newId(), url, ...given };
    if (!(await withTenant(principal, (tx) => templatePut(tx, principal.tenantId, template))))
      throw errors.too_many_templates();
  },
);

interface ListTemplatesRequest {
  /** How many at most, 50 if not given. */
  limit?: Query<number & Min<1> & Max<100>>;
  /** `next` of the page before. */
  cursor?: Query<string>;
}

interface NotificationTemplate {
  name: string;
  language: string;
  title: string;
  body: string;
  url?: string;
  /** ISO 8601. */
  updatedAt: string;
}

interface TemplatesResponse {
  templates: NotificationTemplate[];
  /** Absent on the last page. */
  next?: string;
}

/** The organisation's templates in all languages, the newest first. */
export const listTemplates = api(
  { expose: true, auth: true, method: "GET", path: "/notifications/templates", tags: ["can:notification.manage"] },
  async ({ limit, cursor }: ListTemplatesRequest): Promise<TemplatesResponse> => {
    const { rows, next } = await templateList(currentPrincipal(), Math.floor(limit ?? 50), parseCursor(cursor));
    const templates = rows.map(({ name, language, title, body, url, updatedAt }) => ({
      ...{ name, language, title, body },
      ...(url === null ? {} : { url }),
      updatedAt: updatedAt.toISOString(),
    }));
    return { templates, ...(next === undefined ? {} : { next }) };
  },
);

/** Removes what a template says in a language; what was sent stays as it is. */
export const removeTemplate = api(
  {
    expose: true,
    auth: true,
    method: "DELETE",
    path: "/notifications/templates/:name/:language",
    tags: ["can:notification.manage"],
  },
  async ({ name, language }: { name: string; language: string }): Promise<void> => {
    const isOne = categoryName.safeParse(name).success && languageTag.safeParse(language).success;
    if (!isOne || !(await templateDelete(currentPrincipal(), name, language))) throw errors.template_not_found();
  },
);

// A notification as a mail: text, and HTML made of the same text. Pure. Nothing in it is anything but text: what a sender wrote
// is escaped, and leads nowhere but where the notification's link does. Above it stands whose it is: whoever may send notifications
// writes what they like, by the address of the installation.
import { escapeHtml } from "../../security/escape-html";
import { wellFormed } from "../../security/well-formed";
import type { Said } from "./content";

export interface NotificationMail {
  subject: string;
  text: string;
  html: string;
}

/** A path of the app becomes an address of it. */
export const absoluteUrl = (url: string, appUrl: string): string =>
  url.startsWith("/") ? `${appUrl.replace(/\/$/, "")}${url}` : url;

const FOOT = "You get this because of your notification settings.";

interface MailSettings {
  /** Its name. */
  organisation: string;
  appUrl: string;
  unsubscribeUrl: string | undefined;
  language: string;
}

export function notificationMail(
  { title, body, url }: Said,
  { organisation, appUrl, unsubscribeUrl, language }: MailSettings,
): NotificationMail {
  const link = url === undefined ? undefined : absoluteUrl(url, appUrl);
  const end = unsubscribeUrl === undefined ? [] : [`No more mails of this kind: ${unsubscribeUrl}`];
  const head = `${organisation} sent you this.`;
  const text = [head, body, ...(link === undefined ? [] : [link]), ["-- ", FOOT, ...end].join("\n")].join("\n\n");
  const paragraphs = body.split(/\n{2,}/).map((part) => `<p>${escapeHtml(part).replaceAll("\n", "<br>")}</p>`);
  const button = link === undefined ? "" : `<p><a href="${escapeHtml(link)}">${escapeHtml(link)}</a></p>`;
  const stop =
    unsubscribeUrl === undefined ? "" : ` <a href="${escapeHtml(unsubscribeUrl)}">No more mails of this kind</a>`;
  const html = `<!doctype html><html lang="${escapeHtml(language)}"><head><meta charset="utf-8"><title>${escapeHtml(title)}</title></head><body><p>${escapeHtml(head)}</p><hr><h1>${escapeHtml(title)}</h1>${paragraphs.join("")}${button}<hr><p>${FOOT}${stop}</p></body></html>`;
  return { subject: title, text, html };
}

const EXCERPT_CHARS = 300;
const excerpt = (text: string): string =>
  text.length <= EXCERPT_CHARS ? text : `${wellFormed(text.slice(0, EXCERPT_CHARS))}…`;

/** Several as one mail, the oldest first; `count`: of all, where not all are given. */
export function digestMail(
  all: readonly Said[],
  { count, ...settings }: MailSettings & { count: number },
): NotificationMail {
  const [first] = all;
  if (first === undefined) throw new RangeError("a digest of nothing");
  if (count === 1) return notificationMail(first, settings);
  const list = all.map(({ title, body, url }) =>
    [title, excerpt(body), ...(url === undefined ? [] : [absoluteUrl(url, settings.appUrl)])].join("\n"),
  );
  const rest = count > all.length ? [`+${count - all.length}`] : [];
  const title = `${first.title} (+${count - 1})`;
  return notificationMail({ title, body: [...list, ...rest].join("\n\n") }, settings);
}

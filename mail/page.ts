// The mailbox as a page: plain HTML without scripts. A mail's text is shown, never its HTML, and its links can be followed.
import { escapeHtml } from "../security/escape-html";
import { plainPageHeaders } from "../security/headers";
import type { ListedMessage } from "./store";

export const mailboxPageHeaders = {
  ...plainPageHeaders,
  "content-type": "text/html; charset=utf-8",
} as const satisfies Record<string, string>;

const STYLE = `
  body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff }
  article { border: 1px solid #ccc; border-radius: 6px; padding: 0 1rem; margin: 1rem 0 }
  h2 { font-size: 1.1rem; margin: .8rem 0 0 } p { margin: .2rem 0; color: #555 }
  pre { white-space: pre-wrap; overflow-wrap: anywhere; font: inherit }
  @media (prefers-color-scheme: dark) { body { color: #ddd; background: #181818 } p { color: #aaa } a { color: #8bf } }
`;

/** The page of these mails; `next` is the cursor of the page after. */
export function mailboxPage(messages: readonly ListedMessage[], next: string | undefined): string {
  const empty = "<p>Nothing yet: mails that this app sends appear here.</p>";
  const older = next === undefined ? "" : `<p><a href="/mail?cursor=${encodeURIComponent(next)}">Older</a></p>`;
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>Mailbox</title>
    <style>${STYLE}</style>
  </head>
  <body>
    <h1>Mailbox</h1>
    <p>Nothing is sent in development. Set MAIL_URL to send mails.</p>
    ${messages.map(article).join("\n    ") || empty}
    ${older}
  </body>
</html>
`;
}

const article = ({ id, recipient, subject, text, isCut, sentAt }: ListedMessage): string =>
  `<article>
      <h2>${escapeHtml(subject)}</h2>
      <p>to ${escapeHtml(recipient)}, <time>${sentAt.toISOString()}</time></p>
      <pre>${withLinks(text)}</pre>${isCut ? `\n      <p><a href="/mail/messages/${id}">The whole mail</a></p>` : ""}
    </article>`;

/** Escaped, with a link for each http address in it. */
function withLinks(text: string): string {
  let html = "";
  let from = 0;
  for (const { 0: address, index } of text.matchAll(/https?:\/\/[^\s<>"]+/g)) {
    const shown = escapeHtml(address);
    html += `${escapeHtml(text.slice(from, index))}<a href="${shown}" rel="noreferrer">${shown}</a>`;
    from = index + address.length;
  }
  return html + escapeHtml(text.slice(from));
}

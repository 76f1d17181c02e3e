// The catalogue for people (docs/events.html): one page without scripts, styles or pictures from elsewhere, which a browser opens
// from the disk as well. Written from the contracts, so it says what consumers may rely on.
import { contractFileName, contractOf, type JsonSchema } from "./contracts";
import type { EventDefinition } from "./event";

const POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";
const STYLE = `body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse;width:100%}th,td{text-align:left;padding:.25rem .5rem;border-bottom:1px solid #ccc;vertical-align:top}
code{font-size:.9em}.ends{border-left:4px solid #b45309;padding-left:.75rem}
@media(prefers-color-scheme:dark){body{background:#111;color:#eee}a{color:#8bf}th,td{border-color:#444}}`;

const escaped = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

export function cataloguePage(definitions: readonly EventDefinition[]): string {
  const sorted = [...definitions].sort((a, b) => (a.key < b.key ? -1 : 1));
  const links = sorted.map(({ key }) => `<li><a href="#${escaped(key)}"><code>${escaped(key)}</code></a></li>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Events</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Events</h1>
<p>Everything that the topic <code>domain-events</code> carries. For machines: <a href="asyncapi.json">asyncapi.json</a>. Written by <code>npm run gen</code>.</p>
<nav aria-label="Events"><ul>
${links.join("\n")}
</ul></nav>
${sorted.map(section).join("\n")}
</main>
</body>
</html>
`;
}

function section(definition: EventDefinition): string {
  const { key, deprecated, upcast } = definition;
  const contract = contractOf(definition);
  const required = new Set((contract.required ?? []) as string[]);
  const rows = Object.entries((contract.properties ?? {}) as Record<string, JsonSchema>).map(
    ([name, schema]) =>
      `<tr><td><code>${escaped(name)}</code></td><td>${escaped(typeText(schema))}</td><td>${required.has(name) ? "always" : "optional"}</td></tr>`,
  );
  const ends = deprecated
    ? `<p class="ends">Deprecated since ${escaped(deprecated.since)}, emitted until ${escaped(deprecated.until)}${deprecated.successor ? `; then <a href="#${escaped(deprecated.successor)}"><code>${escaped(deprecated.successor)}</code></a>` : ""}.</p>\n`
    : "";
  const reads = upcast ? `<p>Consumers are given stored <code>${escaped(upcast.from.key)}</code> as this.</p>\n` : "";
  return `<section id="${escaped(key)}">
<h2><code>${escaped(key)}</code></h2>
${ends}${reads}<table><thead><tr><th scope="col">Field</th><th scope="col">Type</th><th scope="col">Present</th></tr></thead>
<tbody>${rows.join("\n")}</tbody></table>
<p><a href="../events/contracts/${escaped(contractFileName(definition))}">Contract</a></p>
</section>`;
}

/** A field's type in a few words. */
function typeText(schema: JsonSchema): string {
  if (Array.isArray(schema.enum)) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (Object.hasOwn(schema, "const")) return JSON.stringify(schema.const);
  const union = schema.anyOf ?? schema.oneOf;
  if (Array.isArray(union)) return union.map((each) => typeText(each as JsonSchema)).join(" | ");
  if (schema.type === "array") return `list of ${typeText((schema.items ?? {}) as JsonSchema)}`;
  return String(schema.format ?? schema.type ?? "anything");
}

// What to do about refusals whose place in the parser brings no remedy of its own. The message stays as Encore's parser
// words it; the remedy is a line below. The first pattern that fits decides: special ones stand above general ones.

const api = "https://encore.dev/docs/ts/primitives";
const writeOut = "Write the type out as an interface of plain fields: Encore reads types without the compiler.";

const remedies: readonly (readonly [RegExp, string])[] = [
  [
    /must be bound to a variable|must be bound to/,
    "Assign it to a constant at the top of the file: `export const name = …`.",
  ],
  [
    /explicitly defined result type/,
    "Name both types in the call: `authHandler<Params, AuthData>(…)`, with `userID: string` in AuthData.",
  ],
  [
    /multiple gateways|auth handler.*(?:two|multiple|twice)/,
    "Keep one `new Gateway({ authHandler })` in the app and delete the others.",
  ],
  [
    /reserved prefix|prefix `__encore`|reserved and automatically added|reserved for internal/,
    "Choose another name: this one belongs to the runtime.",
  ],
  [
    /^invalid label name|metric label/,
    "Label fields are of type string, number or boolean, and none is called `service`.",
  ],
  [/^invalid metric name/, "Metric names are lower_snake_case, such as `orders_total`."],
  [
    /^invalid .* name/,
    "Names are kebab-case: lower-case letters, digits and hyphens, a letter first, such as `order-events`.",
  ],
  [/publicUrl/, "Declare the bucket with `public: true`, or make a link with `signedDownloadUrl`."],
  [
    /bucket/,
    `Call the bucket's own methods on it, and pass it on as \`bucket.ref<Downloader>()\`: ${api}/object-storage`,
  ],
  [/KeyPattern parameter must be named/, 'A key of a plain type stands in the pattern as `:key`, once: `"user/:key"`.'],
  [
    /keyPattern|cache key|key type/i,
    "The key's type is a string, a number, or an interface whose fields all stand in keyPattern as `:field`.",
  ],
  [/eviction policy/, 'Take one of those listed, such as `evictionPolicy: "allkeys-lru"`.'],
  [/cache cluster/, "Pass the constant of `new CacheCluster(…)` itself as the first argument."],
  [
    /StructKeyspace value/,
    "Give StructKeyspace an interface as its value, or use StringKeyspace, IntKeyspace or FloatKeyspace.",
  ],
  [
    /invalid methods/,
    'Write the methods as literals: `method: "GET"`, `method: ["GET", "POST"]`, or `method: "*"` alone.',
  ],
  [
    /`every` must be/,
    "`every` is in whole minutes that divide a day, such as `5m` or `1h`; for other times use `schedule` with a cron expression.",
  ],
  [/`every` or `schedule`/, 'Give exactly one of `every: "1h"` and `schedule: "0 4 * * *"`.'],
  [
    /invalid database query/,
    "The SQL in the template does not parse: correct it where the message points; values go in as `${value}`.",
  ],
  [/must be at the end of the path/, "Move the `*` or `!` segment to the end, or make it a `:parameter`."],
  [/multiple dynamic segments/, "Leave one `*rest` or `!rest` at the end of the path."],
  [
    /path cannot contain empty|path must start|path cannot contain/,
    "A path is `/` and segments without query, fragment or host, no slash at the end: `/orders/:id`.",
  ],
  [/path parameters must have a name/, "Write the name behind the colon: `/orders/:id`."],
  [
    /call signatures|getter signatures|setter signatures|generic (?:functions|call)/,
    "Only data travels: describe it as plain fields, without functions, getters or methods.",
  ],
  [/type index is not supported/, "Put the map into a field: `interface Response { items: Record<string, Item> }`."],
  [/secrets must be|secret name/, 'Write `const key = secret("Name")` at the top of a file of a service.'],
  [/service must be default export/, 'Write one `export default new Service("name")` in the file.'],
  [/only allowed in encore.service.ts/, "Move the declaration into `encore.service.ts` of the service's folder."],
  [
    /static assets directory|'dir' field|file does not exist/,
    'Name a folder (a file for `notFound`) that exists, relative to this file: `dir: "./assets"`.',
  ],
  [/header value must be/, 'Write header values as text: `{ "Cache-Control": "max-age=60" }`.'],
  [/missing type parameters/, "Name the types in the call, such as `api.streamInOut<In, Out>(…)`."],
  [
    /requires a (?:number|string) literal|string literal as/,
    'Write the value itself: `MinLen<3>`, `MatchesRegexp<"^a+$">`, no name and no other kind.',
  ],
  [
    /unsupported validation/,
    "`Min` and `Max` go with numbers, `MinLen` and `MaxLen` with strings and lists, `MatchesRegexp`, `StartsWith`, `IsEmail` and the like with strings.",
  ],
  [
    /unknown identifier/,
    "Declare or import the name; of the global types Encore knows Array, Record, Partial, Required, Pick, Omit, Date and Promise, and no other helper.",
  ],
  [
    /object not found|unknown qualified name|qualified name on enum|import not found|unable to resolve module/,
    "Import the type by its own name from the file that declares it, and write out types that a package computes (or run with --extended).",
  ],
  [/enum value|unsupported member on/, 'Give enum members literal values, or use a union of literals: `"a" | "b"`.'],
  [
    /circular type reference/,
    "Break the circle with an interface: interfaces may refer to themselves, aliases may not.",
  ],
  [/optional types/, "Make the field optional where it is declared: `field?: string`."],
  [
    /unable to determine (?:which )?service/,
    "Move it into the folder of a service, one with an `encore.service.ts` or endpoints.",
  ],
  [/no .* permissions found/, "Name what is needed as the type argument, such as `topic.ref<Publisher>()`."],
  [/(?:not|un)(?: yet)? ?supported|unsupported type/, writeOut],
  // TypeScript's own words about the syntax.
  [
    /expected\.?$|^Declaration or statement|^Unterminated|^Invalid character|^Unexpected/i,
    "The file is not valid TypeScript here: look at this line and the one above for a missing or surplus character.",
  ],
];

/** Undefined where nothing better than the message is known. */
export const remedyFor = (message: string): string | undefined =>
  remedies.find(([pattern]) => pattern.test(message))?.[1];

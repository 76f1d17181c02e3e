// What a statement's text says it will do to its session. Only the effects that one shared session would
// get wrong are looked for: settings that outlive the transaction, channels, COPY from the client.

export interface SqlEffects {
  /** It may change a setting beyond its transaction. */
  settings: boolean;
  /** Names of two-part settings (`app.tenant`) it may change: pg_settings does not list those. */
  customSettings: string[];
  listen: string[];
  /** `*` stands for all channels. */
  unlisten: string[];
  /** It ends the use of the connection: DISCARD ALL, or what it stands for one by one, and nothing else. */
  discardAll: boolean;
  copyFromClient: boolean;
}

const none: SqlEffects = {
  settings: false,
  customSettings: [],
  listen: [],
  unlisten: [],
  discardAll: false,
  copyFromClient: false,
};

/** Cheap test first: nearly all statements hold none of these words. */
const suspicious = /\b(?:set|reset|discard|set_config|listen|unlisten|copy)\b/i;

/** What is not SQL's own words: comments, string and dollar-quoted literals. One that is not closed goes to the end. */
const notWords =
  /--[^\n]*|\/\*(?:[^*]|\*(?!\/))*(?:\*\/|$)|\b[eE]'(?:[^'\\]|\\.|'')*(?:'|$)|'(?:[^']|'')*(?:'|$)|\$(\w*)\$[\s\S]*?(?:\$\1\$|$)/g;

const setting =
  /(?:^|;)\s*(?:set\s+(?!local\b|transaction\b|constraints\b)(?:session\s+(?!characteristics\b))?|reset\s+)([\w.]+)/gi;
const configCall =
  /set_config\s*\(\s*(?:'([^']*)'|[^,\s][^,]{0,500}),(?:[^()]|\([^()]*\))*?(?:,\s*(\w+|\$\d+)\s*(?:::\s*\w+\s*)?)?\)/gi;
const channel = /(?:^|;)\s*(listen|unlisten)\s+("(?:[^"]|"")+"|[\w$]+|\*)/gi;
const resets = new Set([
  "discard all",
  "reset all",
  "close all",
  "unlisten *",
  "deallocate all",
  "discard temp",
  "discard sequences",
  "discard plans",
  "select pg_advisory_unlock_all()",
]);

function endsUse(words: string): boolean {
  const statements = words
    .toLowerCase()
    .split(";")
    .map((statement) => statement.trim().split(/\s+/).join(" "))
    .filter(Boolean);
  const isWhole = statements.includes("discard all") || (statements.includes("reset all") && statements.length > 1);
  return isWhole && statements.every((statement) => resets.has(statement));
}
const copy = /(?:^|;)\s*copy\b[^;]*\bfrom\s+stdin\b/i;

const channelName = (token: string): string =>
  token.startsWith('"') ? token.slice(1, -1).replaceAll('""', '"') : token.toLowerCase();

/** Names of settings that the text may change for the session. */
function changedSettings(sql: string, words: string): string[] {
  const set = [...words.matchAll(setting)].map((match) => match[1] ?? "");
  const calls = [...sql.matchAll(configCall)]
    .filter((match) => !/^(?:true|t)$/i.test(match[2] ?? ""))
    .map((match) => match[1] ?? "");
  return [...set, ...calls];
}

const maxRemembered = 1000;
/** Texts longer than this are not repeated often enough to remember. */
const maxRememberedChars = 4000;
const remembered = new Map<string, SqlEffects>();

/** Reads the effects off the text of one or several statements. */
export function effectsOf(sql: string): SqlEffects {
  if (!suspicious.test(sql)) return none;
  const known = remembered.get(sql);
  if (known) return known;
  const effects = readEffects(sql);
  if (remembered.size >= maxRemembered) remembered.clear();
  if (sql.length <= maxRememberedChars) remembered.set(sql, effects);
  return effects;
}

function readEffects(sql: string): SqlEffects {
  const words = sql.replace(notWords, " ");
  const changed = changedSettings(sql, words);
  const channels = [...words.matchAll(channel)].map((match) => ({
    verb: (match[1] ?? "").toLowerCase(),
    name: channelName(match[2] ?? ""),
  }));
  return {
    settings: changed.length > 0,
    customSettings: changed.filter((name) => /^\w+\.\w+$/.test(name)),
    listen: channels.filter(({ verb }) => verb === "listen").map(({ name }) => name),
    unlisten: channels.filter(({ verb }) => verb === "unlisten").map(({ name }) => name),
    discardAll: endsUse(words),
    copyFromClient: copy.test(words),
  };
}

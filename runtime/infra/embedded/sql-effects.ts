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
  discardAll: boolean;
  copyFromClient: boolean;
}

const none: SqlEffects = { settings: false, customSettings: [], listen: [], unlisten: [], discardAll: false, copyFromClient: false };

/** Cheap test first: nearly all statements hold none of these words. */
const suspicious = /\b(?:set|reset|discard|set_config|listen|unlisten|copy)\b/i;

const statementStart = String.raw`(?:^|;)(?:\s|--[^\n]*\n|/\*(?:[^*]|\*(?!/))*\*/)*`;
const setting = new RegExp(`${statementStart}(?:set\\s+(?!local\\b|transaction\\b|constraints\\b)(?:session\\s+(?!characteristics\\b))?|reset\\s+)([\\w.]+)`, "gi");
const configCall = /set_config\s*\(\s*(?:'([^']*)'|[^,]*),(?:[^()]|\([^()]*\))*?(?:,\s*(\w+|\$\d+)\s*(?:::\s*\w+\s*)?)?\)/gi;
const channel = new RegExp(`${statementStart}(listen|unlisten)\\s+("(?:[^"]|"")+"|[\\w$]+|\\*)`, "gi");
const discard = new RegExp(`${statementStart}discard\\s+all\\b`, "i");
const copy = new RegExp(`${statementStart}copy\\b[\\s\\S]*\\bfrom\\s+stdin\\b`, "i");

const channelName = (token: string): string => (token.startsWith('"') ? token.slice(1, -1).replaceAll('""', '"') : token.toLowerCase());

/** Names of settings that the text may change for the session. */
function changedSettings(sql: string): string[] {
  const set = [...sql.matchAll(setting)].map((match) => match[1] ?? "");
  const calls = [...sql.matchAll(configCall)].filter((match) => !/^(?:true|t)$/i.test(match[2] ?? "")).map((match) => match[1] ?? "");
  return [...set, ...calls];
}

/** Reads the effects off the text of one or several statements. */
export function effectsOf(sql: string): SqlEffects {
  if (!suspicious.test(sql)) return none;
  const changed = changedSettings(sql);
  const channels = [...sql.matchAll(channel)].map((match) => ({ verb: (match[1] ?? "").toLowerCase(), name: channelName(match[2] ?? "") }));
  return {
    settings: changed.length > 0,
    customSettings: changed.filter((name) => /^\w+\.\w+$/.test(name)),
    listen: channels.filter(({ verb }) => verb === "listen").map(({ name }) => name),
    unlisten: channels.filter(({ verb }) => verb === "unlisten").map(({ name }) => name),
    discardAll: discard.test(sql),
    copyFromClient: copy.test(sql),
  };
}

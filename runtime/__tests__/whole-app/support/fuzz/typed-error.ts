// Whether an answer that refuses is an error as the API has them: a code and a message, in the form of its surface.
type Told = Record<string, unknown>;
const isObject = (value: unknown): value is Told => typeof value === "object" && value !== null;
const isWord = (value: unknown): boolean => typeof value === "string" && /^[a-z_]+$/.test(value);

const isHouseError = ({ code, message, details }: Told): boolean =>
  isWord(code) && typeof message === "string" && (details === null || isObject(details));
/** In the form of the OpenAI protocol. */
const isOpenAiError = ({ error }: Told): boolean =>
  isObject(error) && isWord(error.code) && isWord(error.type) && typeof error.message === "string";
const isRpcError = ({ jsonrpc, error }: Told): boolean =>
  jsonrpc === "2.0" && isObject(error) && Number.isInteger(error.code) && typeof error.message === "string";

/** What the gateway, or the host before any routing, refuses has the house's form on every path. */
export function isTypedError(path: string, text: string): boolean {
  try {
    const told: unknown = JSON.parse(text);
    if (!isObject(told)) return false;
    if (isHouseError(told)) return true;
    if (path.startsWith("/ai/v1/")) return isOpenAiError(told);
    return /^\/mcp\/?(?:$|\?)/.test(path) && isRpcError(told);
  } catch {
    return false;
  }
}

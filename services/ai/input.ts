// What the endpoints' types cannot say, and what comes in by endpoints without types. Prompts are bounded below where providers
// begin to charge more for long ones.
import { z } from "zod";
import { isWellFormed } from "../../security/well-formed";

const storable = (text: string): boolean => !text.includes("\u0000") && isWellFormed(text);
const STORABLE = "has a NUL character or half a character";

export const PROMPT_CHARS_MAX = 100_000;
export const PROMPT_BYTES_MAX = 180_000;
const MESSAGES_MAX = 200;
export const OUTPUT_TOKENS_MAX = 16_384;
export const OUTPUT_TOKENS = 1_024;

export const plainText = (charsMax: number) =>
  z.string("is no text").max(charsMax, `is longer than ${charsMax} characters`).refine(storable, STORABLE);

export const storableText = (charsMax: number) => plainText(charsMax).refine((text) => text.trim() !== "", "is blank");

export const questionInput = z.object({ question: storableText(1_000) });

export const modelName = z.string("is no text").min(1, "is empty").max(200, "is longer than 200 characters");

const message = z.object({
  role: z.enum(["system", "user", "assistant"], "is neither system, user nor assistant"),
  content: storableText(PROMPT_CHARS_MAX),
});

const bytesOf = (texts: readonly { content: string }[]): number =>
  texts.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0);

export const isPromptSized = (messages: readonly { content: string }[]): boolean =>
  bytesOf(messages) <= PROMPT_BYTES_MAX;
export const PROMPT_SIZE = `is longer than ${PROMPT_BYTES_MAX} bytes in all`;

export const generateInput = z
  .object({
    prompt: storableText(PROMPT_CHARS_MAX).optional(),
    messages: z.array(message).min(1, "is empty").max(MESSAGES_MAX, `has more than ${MESSAGES_MAX}`).optional(),
    model: modelName.optional(),
    stream: z.boolean().optional(),
    maxOutputTokens: z.int().min(1, "is below 1").max(OUTPUT_TOKENS_MAX, `is above ${OUTPUT_TOKENS_MAX}`).optional(),
    temperature: z.number().min(0, "is below 0").max(2, "is above 2").optional(),
  })
  .refine(({ prompt, messages }) => (prompt === undefined) !== (messages === undefined), {
    ...{ error: "needs prompt or messages, and not both", path: ["prompt"] },
  })
  .transform(({ prompt, messages, ...rest }) => ({
    ...rest,
    messages: messages ?? [{ role: "user" as const, content: prompt ?? "" }],
  }))
  .refine(({ messages }) => isPromptSized(messages), { error: PROMPT_SIZE, path: ["messages"] })
  .refine(({ messages }) => messages.some(({ role }) => role !== "system"), {
    ...{ error: "has no message of a user", path: ["messages"] },
  });

export type GenerateInput = z.output<typeof generateInput>;

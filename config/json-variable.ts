// A variable that holds JSON: its text is parsed, and what it must be is piped behind.
import { z } from "zod";

export const parseJson = (charsMax: number) =>
  z
    .string()
    .max(charsMax, "is too long")
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text) as unknown;
      } catch {
        context.addIssue({ code: "custom", message: "is no JSON" });
        return z.NEVER;
      }
    });

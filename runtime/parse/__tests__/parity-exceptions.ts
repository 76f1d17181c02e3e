// Cases of the parser kit whose errors are worded differently on purpose; their places have to be the same.

export const otherWording: Record<string, string> = {
  "syntax-error": "syntax errors are worded by TypeScript here and by swc there",
};

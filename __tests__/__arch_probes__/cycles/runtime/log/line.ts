import { answer } from "../http/answer";
export const line = (): string => answer();

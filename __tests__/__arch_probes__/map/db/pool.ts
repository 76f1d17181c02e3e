import { retries } from "../config/retries";

export const pool = retries;

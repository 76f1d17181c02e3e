import { pool } from "../db/pool";
import { retries } from "../config/retries";

export const login = pool + retries;

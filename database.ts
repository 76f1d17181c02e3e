// The one database. It stands in the root because Encore forbids ".." in a migrations path.
import { SQLDatabase } from "encore.dev/storage/sqldb";

export const AppDB = new SQLDatabase("app", { migrations: "./migrations" });

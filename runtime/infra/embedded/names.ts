// The two users of the embedded Postgres.

/** The superuser that initdb makes: owns what migrations make, and is nobody whom the app can become. */
export const ownerName = "postgres";
/** What the app connects as. */
export const appName = "app";

// On the app's own Postgres.
import "./jobs-contract";

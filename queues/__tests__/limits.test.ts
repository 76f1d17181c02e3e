// On Postgres, the embedded or a native one.
import "./limits-contract";

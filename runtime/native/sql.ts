// SQL classes of the native module; see runtime/sql.
export { Cursor, QueryArgs, Row, SqlConn, SqlDatabase, Transaction } from "../sql/native-classes";

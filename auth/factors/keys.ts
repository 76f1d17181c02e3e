// The keys that seal what the factors keep or hand out: of the present master key, and of those before it to open.
import { secret } from "encore.dev/config";
import { masterKeyset, type Keyset } from "../../security/envelope";

const masterKey = secret("MasterKey");

export const challengeKey = (): Keyset => masterKeyset(masterKey(), "auth challenges");
/** Of operators, whose rows are others. */
export const operatorTotpKey = (): Keyset => masterKeyset(masterKey(), "operator totp secrets");
export const totpKey = (): Keyset => masterKeyset(masterKey(), "totp secrets");

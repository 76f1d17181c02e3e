// Correct: this is the place.
export const documentFind = "select id from vectors.document where id = $1";

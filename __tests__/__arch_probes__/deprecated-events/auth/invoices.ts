import { paid as settled, paidAgain, sent } from "../events/catalog/billing";

export const settle = (emit: (event: unknown) => void): void => emit(settled);
export const send = (emit: (event: unknown) => void): void => emit(sent);
export const again = (emit: (event: unknown) => void): void => emit(paidAgain);
// Another thing of the same name.
export const paid = (emit: (event: unknown) => void): void => emit("paid");

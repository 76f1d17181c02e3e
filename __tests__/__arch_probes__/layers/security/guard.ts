export const guard = [];

export const answer = (): string => "200";

// An object's name as part of a URL: each segment encoded, slashes kept. Officially `%` and `+` stay as they are, which
// makes the URL of another object out of a name that has one.
export const objectPath = (name: string): string => name.split("/").map(encodeURIComponent).join("/");

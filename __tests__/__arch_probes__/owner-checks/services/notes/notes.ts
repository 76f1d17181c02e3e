// Breaks `owner-checks` three times: whoever writes the next handler has to think of it too.
interface Note {
  createdBy: string | null;
  accountId: string;
}
declare const actorOf: (caller: object) => string;

export const mayRead = (note: Note, principal: { subjectId: string }): boolean => note.accountId === principal.subjectId;
export const mayChange = (note: Note, caller: object): boolean => actorOf(caller) !== note.accountId;
export const mayRemove = (note: Note, userId: string): boolean => note.createdBy === userId;

// Correct: whether there is one at all.
export const isOfNobody = (note: Note): boolean => note.createdBy === null;

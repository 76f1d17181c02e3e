// Correct: public types as types, and the library part of a foundation service.
import type { Organisation } from "../auth/types";
import { emit } from "../events/emit";

export const ingested = (organisation: Organisation): string => {
  emit();
  return organisation.id;
};

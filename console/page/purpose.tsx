// What for an operator looks: asked once a tab, sent along with every look into an organisation, and read by that organisation.
import { createContext } from "preact";
import { useContext, useEffect, useState } from "preact/hooks";
import { Field } from "./parts/field";

const KEY = "groundwork.purpose";
/** As audit/operator.ts asks for. */
export const PURPOSE_CHARS_MIN = 8;

interface Purpose {
  purpose: string;
  setPurpose: (text: string) => void;
}

export const PurposeContext = createContext<Purpose>({ purpose: "", setPurpose: () => undefined });
export const usePurpose = (): Purpose => useContext(PurposeContext);

export function usePurposeOfTab(): Purpose {
  const [purpose, keep] = useState(() => sessionStorage.getItem(KEY) ?? "");
  const setPurpose = (text: string): void => {
    sessionStorage.setItem(KEY, text);
    keep(text);
  };
  return { purpose, setPurpose };
}

/** The next one who signs in at this tab looks for something else. */
export const forgetPurpose = (): void => sessionStorage.removeItem(KEY);

export const isPurpose = (text: string): boolean => text.trim().length >= PURPOSE_CHARS_MIN;

interface FieldProps {
  value: string;
  onInput: (text: string) => void;
  onCommit?: (text: string) => void;
}

export const PurposeField = (props: FieldProps) => (
  <div class="purpose">
    <Field label="What for" name="purpose" maxLength={500} placeholder="ticket 4711: a document failed" {...props} />
  </div>
);

/** The tab's. It counts once it is whole, by Enter or by leaving the field: each that counts is a look that organisations read of. */
export function TabPurpose() {
  const { purpose, setPurpose } = usePurpose();
  const [draft, setDraft] = useState(purpose);
  useEffect(() => setDraft(purpose), [purpose]);
  return <PurposeField value={draft} onInput={setDraft} onCommit={setPurpose} />;
}

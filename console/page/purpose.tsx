// What for an operator looks: asked once a tab, sent along with every look into an organisation, and read by that organisation.
import { createContext } from "preact";
import { useContext, useState } from "preact/hooks";
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

export function PurposeField() {
  const { purpose, setPurpose } = usePurpose();
  return (
    <div class="purpose">
      <Field
        label="What for"
        name="purpose"
        value={purpose}
        maxLength={500}
        placeholder="ticket 4711: a document failed"
        onInput={setPurpose}
      />
    </div>
  );
}

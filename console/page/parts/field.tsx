// A labelled field. The label names it for everybody, screen readers too.
import { useId } from "preact/hooks";

interface Props {
  label: string;
  name: string;
  type?: "text" | "email" | "password";
  value?: string;
  autocomplete?: string;
  inputMode?: "numeric" | "text";
  placeholder?: string;
  maxLength?: number;
  isRequired?: boolean;
  onInput?: (value: string) => void;
  /** By Enter, and when the field is left, where something else stands in it than before. */
  onCommit?: (value: string) => void;
}

export function Field({ label, isRequired, onInput, onCommit, ...rest }: Props) {
  const id = useId();
  // As a whole: the types of attributes hang on which type of input it is.
  const attributes: object = rest;
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <input
        id={id}
        {...attributes}
        required={isRequired}
        onInput={(event) => onInput?.(event.currentTarget.value)}
        onChange={(event) => onCommit?.(event.currentTarget.value)}
      />
    </div>
  );
}

/** Who it is, to begin a session and to change something in one. */
export const Proof = () => (
  <>
    <Field label="Password" name="password" type="password" autocomplete="current-password" isRequired />
    <Field
      label="Code of your authenticator app"
      name="code"
      autocomplete="one-time-code"
      inputMode="numeric"
      isRequired
    />
  </>
);

interface ChoiceProps {
  label: string;
  value: string;
  /** By value; the empty one is for any. */
  choices: Readonly<Record<string, string>>;
  onChoose: (value: string) => void;
}

export function Choice({ label, value, choices, onChoose }: ChoiceProps) {
  const id = useId();
  return (
    <div class="field">
      <label for={id}>{label}</label>
      <select id={id} value={value} onChange={(event) => onChoose(event.currentTarget.value)}>
        {Object.entries(choices).map(([choice, text]) => (
          <option key={choice} value={choice}>
            {text}
          </option>
        ))}
      </select>
    </div>
  );
}

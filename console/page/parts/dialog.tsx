// What is asked before anything is changed: what will happen, and for what; and where the app asks who it is, password and code. Then it
// is done. The browser's own dialog keeps the keyboard within it and closes by Escape.
import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { proveAgain, Refusal, textOf } from "../client";
import { isPurpose, PURPOSE_CHARS_MIN, PurposeField, usePurpose } from "../purpose";
import { Proof } from "./field";

interface Props {
  title: string;
  /** What will happen. */
  children: ComponentChildren;
  /** The verb of the button. */
  verb: string;
  isDangerous?: boolean;
  act: (purpose: string) => Promise<unknown>;
  onDone: () => void;
  onClose: () => void;
}

const ProofAgain = () => (
  <>
    <p class="notice warning">Show again who you are: this changes something, and you signed in a while ago.</p>
    <Proof />
  </>
);

export function Confirm({ title, children, verb, isDangerous, act, onDone, onClose }: Props) {
  const { purpose: ofTab, setPurpose } = usePurpose();
  // The tab's own changes when something is done: what lies under the dialog is of the tab's, and asks anew with it.
  const [purpose, setDraft] = useState(ofTab);
  const dialog = useRef<HTMLDialogElement>(null);
  const [problem, setProblem] = useState<string | undefined>(undefined);
  const [needsProof, setNeedsProof] = useState(false);
  const [isBusy, setBusy] = useState(false);
  useEffect(() => dialog.current?.showModal(), []);

  const run = async (form: FormData): Promise<void> => {
    if (needsProof) {
      const [password, code] = ["password", "code"].map((name) => String(form.get(name)));
      await proveAgain({ password, code });
      setNeedsProof(false);
    }
    await act(purpose);
    setPurpose(purpose);
    onDone();
  };
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    setBusy(true);
    setProblem(undefined);
    void run(new FormData(event.currentTarget as HTMLFormElement))
      .catch((error: unknown) => {
        if (error instanceof Refusal && error.reason === "step_up_required") setNeedsProof(true);
        else setProblem(textOf(error));
      })
      .finally(() => setBusy(false));
  };
  return (
    <dialog ref={dialog} aria-label={title} onClose={onClose}>
      <form onSubmit={submit}>
        <h2>{title}</h2>
        {children}
        <PurposeField value={purpose} onInput={setDraft} />
        {!isPurpose(purpose) && (
          <p class="quiet">At least {PURPOSE_CHARS_MIN} characters: it stands in the log with your name.</p>
        )}
        {needsProof && <ProofAgain />}
        {problem !== undefined && (
          <p class="notice critical" role="alert">
            {problem}
          </p>
        )}
        <div class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button type="submit" class={isDangerous ? "danger" : "primary"} disabled={isBusy || !isPurpose(purpose)}>
            {verb}
          </button>
        </div>
      </form>
    </dialog>
  );
}

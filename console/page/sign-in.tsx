// The way in: e-mail, password and the code of the authenticator app at once.
import { useState } from "preact/hooks";
import { change, textOf } from "./client";
import { Field, Proof } from "./parts/field";

interface Props {
  /** Why there is nobody signed in, where it is not plain. */
  problem: string | undefined;
  onProblem: (text: string) => void;
  onSignedIn: () => void;
}

export function SignIn({ problem, onProblem, onSignedIn }: Props) {
  const [isBusy, setBusy] = useState(false);

  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    const [email, password, code] = ["email", "password", "code"].map((name) => String(form.get(name)));
    setBusy(true);
    void change("/operator/login", { email, password, code, cookies: true })
      .then(onSignedIn, (error: unknown) => onProblem(textOf(error)))
      .finally(() => setBusy(false));
  };

  return (
    <main class="sign-in">
      <form onSubmit={submit} class="card">
        <h1>Groundwork console</h1>
        <p class="quiet">For the platform's staff. Customers' accounts do not open it.</p>
        {problem !== undefined && (
          <p class="notice critical" role="alert">
            {problem}
          </p>
        )}
        <Field label="E-mail" name="email" type="email" autocomplete="username" isRequired />
        <Proof />
        <button type="submit" class="primary" disabled={isBusy}>
          Sign in
        </button>
        <p class="quiet">
          In development <code>npm run admin -- operator link</code> prints a link that opens it signed in. Elsewhere{" "}
          <code>npm run admin -- operator add EMAIL</code> makes an operator.
        </p>
      </form>
    </main>
  );
}

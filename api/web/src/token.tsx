// Asks a person for a token.

import { useEffect, useRef } from "preact/hooks";

/** `refused`: whether the API was sent a token and refused it. */
export function TokenDialog({
  refused,
  done,
}: {
  refused: boolean;
  done: (token: string | null) => void;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const given = useRef<string | null>(null);
  return (
    <dialog ref={dialog} aria-labelledby="token-title" onClose={() => done(given.current)}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          given.current = input.current!.value.trim() || null;
          dialog.current!.close();
        }}
      >
        <h2 id="token-title">This API asks for a token</h2>
        <p>It is kept until this tab is closed, and sent to this server only.</p>
        {refused && (
          <p class="field-error" role="alert">
            The API refused the token that was given: it is wrong, or it is not valid any more.
          </p>
        )}
        <label class="field">
          <span class="field-name">Bearer token</span>
          <input ref={input} type="password" autocomplete="off" autoFocus required />
        </label>
        <div class="dialog-actions">
          <button type="button" onClick={() => dialog.current!.close()}>
            Not now
          </button>
          <button type="submit" class="primary">
            Use it
          </button>
        </div>
      </form>
    </dialog>
  );
}

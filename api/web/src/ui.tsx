// Small parts that every view uses.

import type { ComponentChildren } from "preact";
import { useEffect, useId, useRef, useState } from "preact/hooks";
import { ApiError } from "./api";
import { DASH, fullTime, time } from "./format";
import type { Fault } from "./types";

let moved = false;

/** Say that a person went to another view: from now on its heading gets the focus. */
export function noteMove(): void {
  moved = true;
}

/** A view's heading. It takes over the focus of one that it replaces while the view is loaded. */
export function Title({ children }: { children: ComponentChildren }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (moved && document.activeElement === document.body)
      heading.current?.focus({ preventScroll: true });
  }, []);
  return (
    <h1 ref={heading} tabIndex={-1}>
      {children}
    </h1>
  );
}

export function Badge({ state, note }: { state: string; note?: string }) {
  return (
    <span class={`badge badge-${state}`}>
      <span class="dot" aria-hidden="true" />
      {state}
      {note && <span class="badge-note"> {note}</span>}
    </span>
  );
}

export function Time({ value }: { value: string | undefined }) {
  if (value === undefined) return <>{DASH}</>;
  return (
    <time dateTime={value} title={fullTime(value)}>
      {time(value)}
    </time>
  );
}

export function Trouble({ error, retry }: { error: ApiError | Error; retry?: () => void }) {
  return (
    <div class="trouble" role="alert">
      <p>{sentence(error.message)}</p>
      {error instanceof ApiError && <Faults faults={error.faults} />}
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** What the API found wrong, and where. */
export function Faults({ faults }: { faults: Fault[] }) {
  return (
    <>
      {faults.map((fault) => (
        <p key={fault.path + fault.message}>
          <code>{fault.path}</code> {sentence(fault.message)}
        </p>
      ))}
    </>
  );
}

export const sentence = (text: string): string => {
  const trimmed = text.trim();
  return trimmed.charAt(0).toUpperCase() + trimmed.slice(1) + (/[.!?]$/.test(trimmed) ? "" : ".");
};

export function Empty({ children }: { children: ComponentChildren }) {
  return <p class="empty">{children}</p>;
}

/** Says something to screen readers once it changes. */
export function Announce({ text }: { text: string }) {
  return (
    <p class="hidden-text" role="status" aria-live="polite">
      {text}
    </p>
  );
}

export interface Question {
  title: string;
  text: ComponentChildren;
  action: string;
  danger?: boolean;
  /** Does it; what it returns is shown instead of the question, and the dialog stays open. */
  run: () => Promise<ComponentChildren> | Promise<void>;
}

export type Ask = (question: Question) => void;

/**
 * Ask questions, one at a time; return the dialog to show. A dialog's end is heard after its focus
 * is back, when the next question may have been asked already: each end ends its own question.
 */
export function useQuestion(ended: () => void = () => {}): [ComponentChildren, Ask] {
  const [asked, setAsked] = useState<{ question: Question; number: number } | null>(null);
  const count = useRef(0);
  const close = () => {
    setAsked((now) => (now === asked ? null : now));
    ended();
  };
  const dialog = asked && <Confirm key={asked.number} question={asked.question} close={close} />;
  return [dialog, (question) => setAsked({ question, number: count.current++ })];
}

/** A question before something is changed. The browser keeps the focus inside and gives it back. */
function Confirm({ question, close }: { question: Question; close: () => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useId();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<Error | null>(null);
  const [answer, setAnswer] = useState<ComponentChildren>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const run = async () => {
    if (busy || answer !== null) return;
    setBusy(true);
    setError(null);
    try {
      const told = await question.run();
      if (told === undefined) dialog.current?.close();
      else setAnswer(told);
    } catch (caught) {
      setError(caught as Error);
    }
    setBusy(false);
  };
  return (
    <dialog ref={dialog} aria-labelledby={title} onClose={close}>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void run();
        }}
      >
        <h2 id={title}>{question.title}</h2>
        <div role="status">{answer ?? question.text}</div>
        {error && <Trouble error={error} />}
        <div class="dialog-actions">
          <button type="button" onClick={() => dialog.current?.close()} autoFocus>
            {answer === null ? "Go back" : "Close"}
          </button>
          {answer === null && (
            <button type="submit" class={question.danger ? "danger" : "primary"} disabled={busy}>
              {question.action}
            </button>
          )}
        </div>
      </form>
    </dialog>
  );
}

/** A modal dialog: the browser's own, so that focus stays in it, Escape closes it, and focus goes back to where it was. */
import { signal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useId, useLayoutEffect, useRef } from 'preact/hooks';
import { focusToReturn } from './focusHeir';
import { CloseIcon } from './icons';
import { Notices } from './notices';
import './dialog.css';

export interface DialogProps {
  readonly title: string;
  /** Called when it should close: by its button, Escape, or a press beside it. Take it out of the tree then. */
  readonly onClose: () => void;
  readonly children: ComponentChildren;
  /** Buttons at its foot. */
  readonly actions?: ComponentChildren;
  /** For pictures and lists. */
  readonly wide?: boolean;
}

/** Open as long as it is in the tree. */
export function Dialog({ title, onClose, children, actions, wide }: DialogProps) {
  const ref = useRef<HTMLDialogElement>(null);
  const id = useId();
  useLayoutEffect(() => {
    const dialog = ref.current as HTMLDialogElement;
    const giveBack = focusToReturn();
    dialog.showModal();
    return () => {
      dialog.close();
      giveBack();
    };
  }, []);
  return (
    <dialog
      ref={ref} class={`dialog${wide ? ' wide' : ''}`} aria-labelledby={id}
      onCancel={(event) => { event.preventDefault(); if (event.target === ref.current) onClose(); }}
      onPointerDown={(event) => { if (event.target === ref.current) onClose(); }}
    >
      <div class="dialog-box">
        <header class="dialog-head">
          <h2 id={id}>{title}</h2>
          <button type="button" class="button plain icon-only" aria-label="Close" onClick={onClose}><CloseIcon /></button>
        </header>
        <div class="dialog-body">{children}</div>
        {actions !== undefined && <footer class="dialog-foot row">{actions}</footer>}
      </div>
      <Notices />
    </dialog>
  );
}

export interface Question {
  readonly title: string;
  readonly text: string;
  /** On the button that does it: a verb. */
  readonly action: string;
  /** Drawn as dangerous: something is lost. */
  readonly danger?: boolean;
}

const question = signal<(Question & { readonly answer: (yes: boolean) => void }) | null>(null);

/** Asks before something that cannot be undone. */
export function confirmed(asked: Question): Promise<boolean> {
  question.value?.answer(false);
  return new Promise((resolve) => {
    question.value = {
      ...asked,
      answer: (yes) => {
        question.value = null;
        resolve(yes);
      },
    };
  });
}

/** Where questions of `confirmed` appear. One on a page. */
export function Questions() {
  const asked = question.value;
  if (!asked) return null;
  return (
    <Dialog
      title={asked.title} onClose={() => asked.answer(false)}
      actions={(
        <>
          <button type="button" class="button" autofocus={asked.danger} onClick={() => asked.answer(false)}>Cancel</button>
          <button type="button" class={`button ${asked.danger ? 'danger' : 'primary'}`} autofocus={!asked.danger} onClick={() => asked.answer(true)}>{asked.action}</button>
        </>
      )}
    >
      <p>{asked.text}</p>
    </Dialog>
  );
}

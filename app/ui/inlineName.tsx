/** A name that is edited where it stands: press it, type, Enter keeps and Escape gives up. */
import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { PencilIcon } from './icons';
import './inlineName.css';

export interface InlineNameProps {
  readonly name: string;
  /** What it is the name of, for screen readers: `Name of the class`. */
  readonly label: string;
  readonly onRename: (name: string) => Promise<unknown>;
}

export function InlineName({ name, label, onRename }: InlineNameProps) {
  const [editing, setEditing] = useState(false);
  const [pending, setPending] = useState<string | null>(null);
  const input = useRef<HTMLInputElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const refocus = useRef(false);
  const over = useRef(false); // a field that is taken away may tell of its blur, too
  useLayoutEffect(() => {
    if (editing) {
      input.current?.focus();
      input.current?.select();
    } else if (refocus.current) button.current?.focus();
    refocus.current = false;
  }, [editing]);

  const finish = (keep: boolean, byKey: boolean): void => {
    if (over.current) return;
    over.current = true;
    const next = input.current?.value.trim() ?? '';
    refocus.current = byKey;
    setEditing(false);
    if (!keep || next === '' || next === name) return;
    setPending(next); // shown until the answer, which comes with the new state
    void onRename(next).finally(() => setPending(null));
  };

  if (!editing) {
    return (
      <button type="button" ref={button} class="inline-name" title="Rename" onClick={() => { over.current = false; setEditing(true); }}>
        {pending ?? name}<PencilIcon size={16} /><span class="hidden-text"> (rename)</span>
      </button>
    );
  }
  return (
    <input
      ref={input} class="inline-name-input" aria-label={label} defaultValue={name} maxLength={120} spellcheck={false} enterkeyhint="done"
      onKeyDown={(event) => {
        if (event.key === 'Enter' && !event.isComposing) {
          event.preventDefault(); // else it also presses the button that has the focus next
          finish(true, true);
        }
        if (event.key === 'Escape') {
          event.stopPropagation();
          finish(false, true);
        }
      }}
      onBlur={() => finish(true, false)}
    />
  );
}

/** One thing that can be saved: what it is for, how large it is, its buttons, and what came of them. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { formatBytes } from '../../../ui/format';
import { DownloadIcon } from '../../../ui/icons';
import { asSentence } from '../../../ui/notices';
import { download } from './download';

export interface SaveAction {
  readonly label: string;
  /** While it goes on. */
  readonly busy: string;
  /** Resolves with what to tell. */
  readonly run: () => Promise<string>;
}

export interface SaveItemProps {
  readonly title: string;
  readonly text: string;
  /** Expected, in words. */
  readonly size: string | null;
  /** Why it cannot be saved now, or null: by the element that says so, which is made here where there is a text. */
  readonly blocked: { readonly id: string; readonly text?: string } | null;
  readonly actions: readonly SaveAction[];
  readonly children?: ComponentChildren;
}

type Outcome = { readonly kind: 'busy' | 'done' | 'failed'; readonly text: string };

export function SaveItem({ title, text, size, blocked, actions, children }: SaveItemProps) {
  const outcome = useSignal<Outcome | null>(null);
  const busy = outcome.value?.kind === 'busy';
  const press = async ({ run, busy: doing }: SaveAction): Promise<void> => {
    if (busy || blocked !== null) return;
    outcome.value = { kind: 'busy', text: `${doing} …` };
    try {
      outcome.value = { kind: 'done', text: await run() };
    } catch (error) {
      outcome.value = { kind: 'failed', text: asSentence(error) };
    }
  };
  return (
    <li class="save-item">
      <div class="save-what">
        <h3>{title}{size !== null && <span class="save-size number">{size}</span>}</h3>
        <p class="quiet">{text}</p>
        {blocked?.text !== undefined && <p class="save-blocked" id={blocked.id}>{blocked.text}</p>}
        {children}
        <p role="status" class={outcome.value?.kind === 'failed' ? 'save-outcome wrong' : 'save-outcome'}>{outcome.value?.text ?? ''}</p>
      </div>
      <div class="save-actions">
        {actions.map((action) => (
          <button key={action.label} type="button" class="button" disabled={blocked !== null} aria-disabled={busy} aria-describedby={blocked?.id} onClick={() => void press(action)}>
            {action.label.startsWith('Save') && <DownloadIcon size={18} />}{action.label}
          </button>
        ))}
      </div>
    </li>
  );
}

/** Makes a file and hands it to the browser. */
export async function saveFile(make: () => Promise<Blob>, name: string): Promise<string> {
  const blob = await make();
  download(blob, name);
  return `Saved as ${name}, ${formatBytes(blob.size)}.`;
}

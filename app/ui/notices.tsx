/** Short messages at the edge of the page: what went wrong, what was done, and how to undo it. */
import { signal } from '@preact/signals';
import { useLayoutEffect, useState } from 'preact/hooks';
import { CheckIcon, CloseIcon, WarningIcon } from './icons';
import './notices.css';

export interface Notice {
  readonly kind: 'error' | 'info';
  readonly text: string;
  /** A button in the notice, `Undo` for one. Pressing it closes the notice. */
  readonly action?: { readonly label: string; readonly run: () => void };
}

interface Shown extends Notice {
  readonly id: number;
  readonly times: number;
}

const STAY = { plain: 7_000, withAction: 14_000 }; // milliseconds; errors stay until closed
const MOST = 4;

const notices = signal<readonly Shown[]>([]);
const timers = new Map<number, ReturnType<typeof setTimeout>>();
let nextId = 1;

/** Shows a notice and returns what closes it. One that is shown already is counted, not repeated. */
export function notify(notice: Notice): () => void {
  const same = notices.value.find(({ kind, text, action }) => kind === notice.kind && text === notice.text && !action && !notice.action);
  const id = same?.id ?? nextId++;
  if (same) notices.value = notices.value.map((one) => (one.id === id ? { ...one, times: one.times + 1 } : one));
  else notices.value = [...notices.value, { ...notice, id, times: 1 }].slice(-MOST);
  startTimer(id, notice);
  return () => close(id);
}

/**
 * Waits for `work`; a failure becomes a notice, and undefined is returned.
 * Work that was cancelled (an AbortError) says nothing.
 */
export async function attempt<T>(work: Promise<T> | (() => Promise<T>)): Promise<T | undefined> {
  try {
    return await (typeof work === 'function' ? work() : work);
  } catch (error) {
    if (!(error instanceof Error && error.name === 'AbortError')) notify({ kind: 'error', text: asSentence(error) });
    return undefined;
  }
}

/** An error's message, with a capital, unless it begins with a file's or an operation's name, and a full stop. */
export function asSentence(error: unknown): string {
  const message = (error instanceof Error ? error.message : String(error)).trim() || 'Something failed, and gave no reason';
  const sentence = /^[a-z]+[ ,]/.test(message) ? message[0].toUpperCase() + message.slice(1) : message;
  return /[.!?]$/.test(sentence) ? sentence : `${sentence}.`;
}

function startTimer(id: number, { kind, action }: Notice): void {
  holdTimer(id);
  if (kind === 'info') timers.set(id, setTimeout(() => close(id), action ? STAY.withAction : STAY.plain));
}

function holdTimer(id: number): void {
  clearTimeout(timers.get(id));
  timers.delete(id);
}

function close(id: number): void {
  holdTimer(id);
  notices.value = notices.value.filter((one) => one.id !== id);
}

/** Of all places for notices the latest shows them: the open dialog's while there is one, since the rest is inert then. */
const places = signal<readonly symbol[]>([]);

/** Where notices appear. One on a page; dialogs bring their own. */
export function Notices() {
  const [place] = useState(() => Symbol('place for notices'));
  useLayoutEffect(() => {
    places.value = [...places.value, place];
    return () => { places.value = places.value.filter((one) => one !== place); };
  }, []);
  const shown = places.value.at(-1) === place ? notices.value : [];
  return (
    <section class="notices" role="status" aria-live="polite" aria-label="Messages">
      {shown.map((notice) => <NoticeBox key={notice.id} notice={notice} />)}
    </section>
  );
}

function NoticeBox({ notice }: { readonly notice: Shown }) {
  const { id, kind, text, times, action } = notice;
  const hold = (): void => holdTimer(id);
  const letGo = (): void => startTimer(id, notice);
  return (
    <div class={`notice ${kind}`} onPointerEnter={hold} onFocusIn={hold} onPointerLeave={letGo} onFocusOut={letGo}>
      <span class="notice-icon">{kind === 'error' ? <WarningIcon /> : <CheckIcon />}</span>
      <p>
        {kind === 'error' && <span class="hidden-text">Error: </span>}
        {text}{times > 1 && <span class="quiet"> ({times} times)</span>}
      </p>
      {action && <button type="button" class="button small" onClick={() => { action.run(); close(id); }}>{action.label}</button>}
      <button type="button" class="button small plain icon-only" aria-label="Close this message" onClick={() => close(id)}><CloseIcon size={16} /></button>
    </div>
  );
}

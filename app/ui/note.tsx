/** A remark inside a section: a hint, a warning, or what went wrong. */
import type { ComponentChildren } from 'preact';
import { InfoIcon, WarningIcon } from './icons';

export interface NoteProps {
  readonly kind?: 'info' | 'warn' | 'wrong';
  readonly children: ComponentChildren;
  /** Read out when it appears. */
  readonly live?: boolean;
}

export function Note({ kind = 'info', children, live }: NoteProps) {
  return (
    <div class={`note ${kind}`} role={live ? (kind === 'wrong' ? 'alert' : 'status') : undefined}>
      {kind === 'info' ? <InfoIcon /> : <WarningIcon />}
      <div>{children}</div>
    </div>
  );
}

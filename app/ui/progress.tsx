/** How far something is: a bar, and the same in words. */
import type { ComponentChildren } from 'preact';
import { useId } from 'preact/hooks';
import './progress.css';

export interface ProgressProps {
  /** What is going on: `Downloading ResNet-18`. */
  readonly label: string;
  readonly value: number;
  /** Null while it is unknown. */
  readonly max: number | null;
  /** Beside the label: `12 of 45 MB`. Default: percent. */
  readonly text?: ComponentChildren;
}

export function Progress({ label, value, max, text }: ProgressProps) {
  const id = useId();
  const share = max === null || max <= 0 ? null : Math.min(1, Math.max(0, value / max));
  const percent = share === null ? null : Math.floor(share * 100);
  return (
    <div class="progress">
      <div class="progress-words">
        <span id={id}>{label}</span>
        <span class="quiet number">{text ?? (percent === null ? '' : `${percent} %`)}</span>
      </div>
      <div
        class={`progress-track${share === null ? ' unknown' : ''}`} role="progressbar" aria-labelledby={id}
        {...(percent !== null && { 'aria-valuenow': percent, 'aria-valuemin': 0, 'aria-valuemax': 100 })}
      >
        <div class="progress-bar" style={share === null ? undefined : { transform: `scaleX(${share})` }} />
      </div>
    </div>
  );
}

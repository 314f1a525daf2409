/** One of a few: radio buttons drawn as one control. */
import { useId } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import './segmented.css';

export interface Option<T extends string> {
  readonly value: T;
  readonly label: ComponentChildren;
  /** Spoken instead of the label, where that is an icon. */
  readonly spoken?: string;
  readonly disabled?: boolean;
}

export interface SegmentedProps<T extends string> {
  readonly legend: string;
  /** Only for screen readers. */
  readonly hideLegend?: boolean;
  readonly value: T;
  readonly options: readonly Option<T>[];
  readonly onChange: (value: T) => void;
  readonly small?: boolean;
}

export function Segmented<T extends string>({ legend, hideLegend, value, options, onChange, small }: SegmentedProps<T>) {
  const name = useId();
  return (
    <fieldset class={`segmented${small ? ' small' : ''}`}>
      <legend class={hideLegend ? 'hidden-text' : 'legend'}>{legend}</legend>
      <div class="segmented-options">
        {options.map((option) => (
          <label key={option.value} title={option.spoken}>
            <input type="radio" name={name} value={option.value} checked={option.value === value} disabled={option.disabled} aria-label={option.spoken} onChange={() => onChange(option.value)} />
            <span>{option.label}</span>
          </label>
        ))}
      </div>
    </fieldset>
  );
}

/** One of a few, each with a description: radio buttons drawn as cards. */
import { useId } from 'preact/hooks';
import type { ComponentChildren } from 'preact';
import './choice.css';

export interface ChoiceOption<T extends string> {
  readonly value: T;
  readonly title: ComponentChildren;
  readonly text: ComponentChildren;
  readonly disabled?: boolean;
}

export interface ChoiceProps<T extends string> {
  readonly legend: string;
  readonly value: T | null;
  readonly options: readonly ChoiceOption<T>[];
  readonly onChange: (value: T) => void;
}

export function Choice<T extends string>({ legend, value, options, onChange }: ChoiceProps<T>) {
  const id = useId();
  return (
    <fieldset class="choice">
      <legend class="hidden-text">{legend}</legend>
      {options.map((option) => (
        <label key={option.value} class="choice-card">
          <input type="radio" name={id} value={option.value} checked={option.value === value} disabled={option.disabled} aria-describedby={`${id}-${option.value}`} onChange={() => onChange(option.value)} />
          <span class="choice-title">{option.title}</span>
          <span class="choice-text" id={`${id}-${option.value}`}>{option.text}</span>
        </label>
      ))}
    </fieldset>
  );
}

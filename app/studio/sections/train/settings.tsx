/** The settings of a run: the few that people need, and the rest folded away. */
import { signal, useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useId } from 'preact/hooks';
import { attempt } from '../../../ui/notices';
import { Check, Field } from '../../../ui/field';
import { DEFAULT_SETTINGS, type Settings } from '../../../shared/protocol';
import { state, studio } from '../../session';
import { RULES, augmentationOf, changedBelow, parseNumber, parseOptional, planDefaults, switchesOf, type Parsed } from './settingsRules';

/** Labels of fields whose text is not a value yet. Training waits for them. */
export const unreadable = signal<ReadonlySet<string>>(new Set());

function set(patch: Partial<Settings>): void {
  void attempt(() => studio.setSettings(patch));
}

export function TrainSettings() {
  const settings = state.settings.value;
  const { plan, epochs, batchSize, lr, validationFraction } = settings;
  const defaults = planDefaults(plan);
  return (
    <div class="train-settings">
      <div class="train-fields">
        <NumberField label="Epochs" value={epochs} placeholder={String(defaults.epochs)} parse={(text) => parseOptional(text, RULES.epochs)} onValue={(value) => set({ epochs: value })}
          hint={`How often it goes through all pictures. Default ${defaults.epochs} for this plan.`} />
        <NumberField label="Batch size" value={batchSize} parse={(text) => parseNumber(text, RULES.batchSize)} onValue={(value) => set({ batchSize: value ?? DEFAULT_SETTINGS.batchSize })}
          hint={`Pictures in one step; more need more memory. Default ${DEFAULT_SETTINGS.batchSize}.`} />
        <NumberField label="Learning rate" value={lr} placeholder={String(defaults.lr)} parse={(text) => parseOptional(text, RULES.lr)} onValue={(value) => set({ lr: value })}
          hint={`How far one step goes; lower it if the loss jumps. Default ${defaults.lr} for this plan.`} />
        <NumberField label="Held-out share, in percent" value={Math.round(validationFraction * 1000) / 10} parse={(text) => parseNumber(text, RULES.validationPercent)} onValue={(value) => set({ validationFraction: (value ?? 0) / 100 })}
          hint={`Pictures it never learns from, which tell how good it is. Default ${DEFAULT_SETTINGS.validationFraction * 100}.`} />
      </div>
      <Augmentations />
      <MoreSettings />
    </div>
  );
}

function Augmentations() {
  const { augment, plan } = state.settings.value;
  const switches = switchesOf(augment);
  const change = (patch: Partial<typeof switches>): void => set({ augment: augmentationOf({ ...switches, ...patch }) });
  return (
    <div class="train-augment">
      <Check label="Vary the pictures (augmentation)" checked={augment !== null} onChange={(on) => set({ augment: on ? augmentationOf({ crop: true, mirror: true, colour: false }) : null })}
        hint={<>Shows each picture a little differently in every epoch, which helps when there are few. Default off.{plan === 'head' && ' It takes longer: features can then not be computed once and kept.'}</>} />
      {augment !== null && (
        <div class="train-switches">
          <Check label="Crop" checked={switches.crop} onChange={(crop) => change({ crop })} hint="A random part, at least half of it." />
          <Check label="Mirror" checked={switches.mirror} onChange={(mirror) => change({ mirror })} hint="Left to right, half of the time. Not for letters or signs." />
          <Check label="Colours" checked={switches.colour} onChange={(colour) => change({ colour })} hint="Brightness, contrast and saturation by up to a fifth." />
        </div>
      )}
    </div>
  );
}

function MoreSettings() {
  const settings = state.settings.value;
  const device = state.device.value;
  const changed = changedBelow(settings, DEFAULT_SETTINGS);
  return (
    <details class="fold">
      <summary>More settings{changed > 0 && <span class="quiet"> ({changed} changed)</span>}</summary>
      <div class="train-fields">
        <SelectField label="Optimiser" value={settings.optimizer} onValue={(optimizer) => set({ optimizer })} hint="The rule that turns gradients into steps. Default AdamW."
          options={[['adamw', 'AdamW'], ['sgd', 'SGD with momentum']]} />
        <SelectField label="Learning rate over time" value={settings.schedule} onValue={(schedule) => set({ schedule })} hint="Falling lets it settle at the end. Default cosine."
          options={[['cosine', 'Cosine: falls to zero'], ['onecycle', 'One cycle: rises, then falls'], ['constant', 'Constant']]} />
        <NumberField label="Label smoothing" value={settings.labelSmoothing} parse={(text) => parseNumber(text, RULES.labelSmoothing)} onValue={(value) => set({ labelSmoothing: value ?? 0 })}
          hint="Keeps it from being too sure of itself; 0.1 is usual. Default 0." />
        <NumberField label="Seed" value={settings.seed} parse={(text) => parseNumber(text, RULES.seed)} onValue={(value) => set({ seed: value ?? 0 })}
          hint="Decides all that is random; the same seed gives the same result. Default 0." />
      </div>
      {device.kind === 'ready' && device.float16
        ? <Check label="Half precision (float16) for what is not trained" checked={settings.float16} onChange={(float16) => set({ float16 })} hint="Half the memory for the frozen part, and often faster; its numbers are a little coarser. Default off." />
        : device.kind === 'ready' && <p class="field-hint">Half precision (float16) is not offered by this graphics device.</p>}
    </details>
  );
}

interface NumberFieldProps {
  readonly label: string;
  readonly hint: ComponentChildren;
  readonly value: number | null;
  readonly placeholder?: string;
  readonly parse: (text: string) => Parsed<number | null>;
  readonly onValue: (value: number | null) => void;
}

/** Its text is free while it is typed; it becomes a value when it can be read and the field is left or Enter pressed. */
function NumberField({ label, hint, value, placeholder, parse, onValue }: NumberFieldProps) {
  const id = useId();
  const text = useSignal<string | null>(null);
  const error = useSignal<string | null>(null);
  const tell = (message: string | null): void => {
    error.value = message;
    const others = new Set(unreadable.value);
    if (message === null) others.delete(id);
    else others.add(id);
    if (others.size !== unreadable.value.size) unreadable.value = others;
  };
  useEffect(() => () => tell(null), []);
  const commit = (): void => {
    if (text.value === null) return;
    const parsed = parse(text.value);
    if ('error' in parsed) {
      tell(parsed.error);
      return;
    }
    tell(null);
    text.value = null;
    if (parsed.value !== value) onValue(parsed.value);
  };
  return (
    <Field label={label} hint={hint} error={error.value}>
      {(control) => (
        <input
          {...control} class="input number" type="text" inputMode="decimal" autocomplete="off" placeholder={placeholder}
          value={text.value ?? (value === null ? '' : String(value))}
          onInput={(event) => {
            text.value = event.currentTarget.value;
            // A mistake is told when the field is left; that it is mended, at once.
            if (error.value !== null) {
              const parsed = parse(text.value);
              tell('error' in parsed ? parsed.error : null);
            }
          }}
          onBlur={commit} onKeyDown={(event) => { if (event.key === 'Enter') commit(); }}
        />
      )}
    </Field>
  );
}

interface SelectFieldProps<T extends string> {
  readonly label: string;
  readonly hint: string;
  readonly value: T;
  readonly options: readonly (readonly [T, string])[];
  readonly onValue: (value: T) => void;
}

function SelectField<T extends string>({ label, hint, value, options, onValue }: SelectFieldProps<T>) {
  return (
    <Field label={label} hint={hint}>
      {(control) => (
        <select {...control} class="input" value={value} onChange={(event) => onValue(event.currentTarget.value as T)}>
          {options.map(([name, title]) => <option key={name} value={name}>{title}</option>)}
        </select>
      )}
    </Field>
  );
}

/** A chart with its title and legend. The legend tells the values at the pointer, or the newest. */
import { useSignal } from '@preact/signals';
import { useEffect, useId, useRef } from 'preact/hooks';
import type { ChartModel } from './charts';
import type { Plot } from './plot';

let last: Promise<unknown> = Promise.resolve();

/** Resolves in a task of its own, after those that asked before: charts that appear together are not made in one go. */
function inTurn<T>(value: T): Promise<T> {
  const turn = last.then(() => new Promise<T>((resolve) => setTimeout(() => resolve(value))));
  last = turn;
  return turn;
}

export function Chart({ model }: { readonly model: ChartModel }) {
  const id = useId();
  const box = useRef<HTMLDivElement>(null);
  const drawn = useRef<Plot>(null);
  const newest = useRef(model);
  newest.current = model;
  const at = useSignal<number | null>(null);
  const failed = useSignal(false);

  const kind = model.series.map(({ label }) => label).join();
  useEffect(() => {
    let gone = false;
    import('./plot').then(inTurn).then(({ plot }) => {
      if (!gone && box.current) drawn.current = plot(box.current, newest.current, (index) => { at.value = index; });
    }, () => { failed.value = true; });
    return () => {
      gone = true;
      drawn.current?.destroy();
      drawn.current = null;
    };
  }, [kind]);
  useEffect(() => drawn.current?.update(model), [model]);

  const [xs] = model.columns;
  const index = at.value === null || at.value >= xs.length ? xs.length - 1 : at.value;
  return (
    <figure class="chart" aria-labelledby={id}>
      <figcaption>
        <span class="chart-title" id={id}>{model.title}</span>
        <span class="chart-legend number" aria-hidden="true">
          {xs.length > 0 && <span class="quiet">{model.xLabel} {xs[index]}</span>}
          {model.series.map(({ label, colour, dashed }, i) => {
            const value = model.columns[i + 1][index];
            return (
              <span key={label} class="chart-key">
                <span class={`chart-swatch${dashed ? ' dashed' : ''}`} style={{ color: `var(${colour})` }} />
                {label} <b>{value === null || value === undefined ? '–' : model.format(value)}</b>
              </span>
            );
          })}
        </span>
      </figcaption>
      <div class="chart-box" ref={box} aria-hidden="true">{failed.value && <p class="quiet">The chart could not be loaded; the table below has its numbers.</p>}</div>
      <p class="hidden-text">{model.summary}</p>
    </figure>
  );
}

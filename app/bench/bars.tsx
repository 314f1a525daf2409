/** A group of rows as bars, one an engine, with whiskers from slowest to fastest, and the same figures as a table. */
import { ratioText } from '../../bench/lib/summary.mjs';
import { engineTitle, type Entry, type Group, type Row } from '../../bench/lib/view.mjs';
import './bars.css';

const share = (value: number, most: number): string => `${Math.min(100, (100 * value) / most).toFixed(2)}%`;

export function GroupView({ group }: { readonly group: Group }) {
  const { title, unit, better, rows } = group;
  const engines = [...new Set(rows.flatMap(({ entries }) => entries.map(({ engine }) => engine)))];
  return (
    <section class="bench-group" aria-label={title}>
      <header class="bench-group-head">
        <h3>{title}</h3>
        <p class="quiet">{unit}; {better} is faster{unit === 'MB' && ' or smaller'}. The line across a bar goes from the slowest sample to the fastest{rows.some(({ bound }) => bound) && '; the dashed line is the bound'}.</p>
      </header>
      <div class="bench-rows">{rows.map((row) => <Bars key={row.label} row={row} unit={unit} />)}</div>
      <details class="bench-figures">
        <summary>Figures</summary>
        <Figures rows={rows} engines={engines} title={title} />
      </details>
    </section>
  );
}

function Bars({ row, unit }: { readonly row: Row; readonly unit: string }) {
  const { label, entries, failed, bound, detail } = row;
  const most = Math.max(...entries.map((entry) => entry.most), bound?.value ?? 0);
  return (
    <div class="bench-row">
      <p class="bench-label">{label}{bound && <span class="quiet"> {bound.text}</span>}</p>
      <ul class="bench-bars">
        {entries.map((entry) => <Bar key={entry.engine} entry={entry} most={most} bound={bound?.value} unit={unit} />)}
        {Object.entries(failed).map(([engine, why]) => (
          <li key={engine} class="bench-failed"><span class="bench-engine">{engineTitle(engine)}</span><span>no figure: {why}</span></li>
        ))}
      </ul>
      {detail && <p class="bench-detail quiet">{detail}</p>}
    </div>
  );
}

function Bar({ entry, most, bound }: { readonly entry: Entry; readonly most: number; readonly bound: number | undefined; readonly unit: string }) {
  const { engine, value, least, most: end, text, spread, ratio } = entry;
  return (
    <li>
      <span class="bench-engine">{engineTitle(engine)}</span>
      <span class="bench-track" aria-hidden="true">
        <span class={`bench-bar engine-${engine}`} style={{ width: share(value, most) }} />
        {end > least && <span class="bench-whisker" style={{ left: share(least, most), width: share(end - least, most) }} />}
        {bound !== undefined && <span class="bench-bound" style={{ left: share(bound, most) }} />}
      </span>
      <span class="bench-value number">{text}</span>
      <span class="bench-ratio number">{ratio === null ? '' : <><span class="hidden-text">, by Graft&rsquo;s: </span>{ratioText(ratio)}</>}</span>
      {spread && <span class="hidden-text">, from {spread}</span>}
    </li>
  );
}

function Figures({ rows, engines, title }: { readonly rows: readonly Row[]; readonly engines: readonly string[]; readonly title: string }) {
  return (
    <div class="bench-scroll" tabIndex={0} role="region" aria-label={`Figures: ${title}`}>
      <table class="bench-table">
        <thead><tr><th scope="col">median, spread, by Graft&rsquo;s</th>{engines.map((engine) => <th key={engine} scope="col"><span class={`bench-swatch engine-${engine}`} />{engineTitle(engine)}</th>)}</tr></thead>
        <tbody>
          {rows.map(({ label, entries, failed }) => (
            <tr key={label}>
              <th scope="row">{label}</th>
              {engines.map((engine) => {
                const entry = entries.find((each) => each.engine === engine);
                if (!entry) return <td key={engine} title={failed[engine]}>{failed[engine] ? 'failed' : 'not run'}</td>;
                return (
                  <td key={engine} class="number">
                    {entry.text}{entry.ratio !== null && <b> {ratioText(entry.ratio)}</b>}
                    {entry.spread && <small>{entry.spread}; {entry.samples} samples</small>}
                    {entry.more && <small>{entry.more}</small>}
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** Line charts as inline SVG. Colours come from the page's style sheet, so that they follow light and dark. */
import { short } from './format';
import { html, type Html } from './html';

export interface Series {
  readonly name: string;
  /** One value an epoch, from the first; null leaves a gap. */
  readonly values: readonly (number | null)[];
  /** Class of the style sheet that colours it. */
  readonly style: 'first' | 'second' | 'third' | 'fourth';
}

export interface LineChartOptions {
  readonly title: string;
  readonly series: readonly Series[];
  readonly format?: (value: number) => string;
  /** Bounds that the vertical axis keeps to. */
  readonly range?: readonly [number, number];
  /** An epoch to mark, from 1. */
  readonly marked?: number;
}

const WIDTH = 400;
const HEIGHT = 236;
const LEFT = 46;
const RIGHT = 10;
const TOP = 12;
const BOTTOM = 36;

/** A chart over epochs, which fills its container's width. */
export function lineChart({ title, series, format, range, marked }: LineChartOptions): Html {
  const values = series.flatMap((one) => one.values).filter((v): v is number => v !== null && Number.isFinite(v));
  const epochs = Math.max(1, ...series.map((one) => one.values.length));
  if (values.length === 0) return html`<p class="quiet">No epoch was finished.</p>`;
  const [low, high] = bounds(values, range);
  const x = (epoch: number): number => LEFT + ((WIDTH - LEFT - RIGHT) * (epochs === 1 ? 0.5 : (epoch - 1) / (epochs - 1)));
  const y = (value: number): number => HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * ((Math.min(high, Math.max(low, value)) - low) / (high - low));
  const xs = xTicks(epochs);
  return html`<figure class="chart">
<figcaption>${title}<span class="legend">${series.map(({ name, style }) => html` <span class="key ${style}">${name}</span>`)}</span></figcaption>
<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${title} by epoch">
${ticks(low, high).map((tick) => html`<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${n(y(tick))}" y2="${n(y(tick))}"/><text x="${LEFT - 6}" y="${n(y(tick) + 4)}" text-anchor="end">${(format ?? tickText)(tick)}</text>`)}
${xs.map((epoch) => html`<text x="${n(x(epoch))}" y="${HEIGHT - BOTTOM + 16}" text-anchor="middle">${epoch}</text>`)}
<text class="axis" x="${(LEFT + WIDTH - RIGHT) / 2}" y="${HEIGHT - 5}" text-anchor="middle">epoch</text>
${marked !== undefined && marked >= 1 && html`<line class="marked" x1="${n(x(marked))}" x2="${n(x(marked))}" y1="${TOP}" y2="${HEIGHT - BOTTOM}"><title>best epoch: ${marked}</title></line>`}
${series.map((one) => line(one, x, y, format ?? short))}
</svg></figure>`;
}

/** At most six characters, which is what the margin holds: `0.25`, `5000`, `2.5e9`. */
function tickText(value: number): string {
  const size = Math.abs(value);
  return size === 0 || (size >= 1e-3 && size < 1e4) ? short(value) : Number(value.toPrecision(3)).toExponential().replace('+', '');
}

function line({ name, values, style }: Series, x: (epoch: number) => number, y: (value: number) => number, format: (value: number) => string): Html {
  let path = '';
  let pen = false;
  const dots: Html[] = [];
  values.forEach((value, i) => {
    if (value === null || !Number.isFinite(value)) {
      pen = false;
      return;
    }
    const [px, py] = [n(x(i + 1)), n(y(value))];
    path += `${pen ? 'L' : 'M'}${px} ${py}`;
    pen = true;
    if (values.length <= 60) dots.push(html`<circle cx="${px}" cy="${py}" r="${values.length > 25 ? 1.8 : 2.6}"><title>${name}, epoch ${i + 1}: ${format(value)}</title></circle>`);
  });
  return html`<g class="${style}"><path d="${path}"/>${dots}</g>`;
}

/** The values' range with a little room, but not past `range`. */
function bounds(values: readonly number[], range?: readonly [number, number]): [number, number] {
  // The largest values of a first epoch would flatten all others: what lies above the 98th hundredth is cut off.
  const sorted = [...values].sort((a, b) => a - b);
  const top = sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * 0.98))];
  const room = Math.max((top - sorted[0]) * 0.08, Math.abs(top) * 0.01, 1e-6);
  let [low, high] = [sorted[0] - room, top + room];
  if (sorted[0] >= 0) low = Math.max(0, low);
  if (range) [low, high] = [Math.max(range[0], low), Math.min(range[1], high)];
  return high > low ? [low, high] : [low - 1, high + 1];
}

/** Three to six round numbers within the bounds. */
export function ticks(low: number, high: number): number[] {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].map((factor) => factor * power).find((candidate) => (high - low) / candidate <= 5) ?? power * 10;
  const first = Math.ceil(low / step - 1e-9);
  const last = Math.floor(high / step + 1e-9);
  return Array.from({ length: Math.max(0, last - first + 1) }, (_, i) => Number(((first + i) * step).toPrecision(10)));
}

function xTicks(epochs: number): number[] {
  if (epochs <= 10) return Array.from({ length: epochs }, (_, i) => i + 1);
  return [1, ...ticks(1, epochs).filter((tick) => Number.isInteger(tick) && tick > 1)];
}

/** A coordinate, to a tenth. */
function n(value: number): number {
  return Math.round(value * 10) / 10;
}

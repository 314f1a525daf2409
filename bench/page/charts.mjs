/**
 * The charts of the results page, drawn by Observable Plot as SVG. Colours are CSS variables, so that a chart follows
 * the page into the dark. `document`: the browser's, or one made for writing a file.
 */
import * as Plot from '@observablehq/plot';
import { ENGINES, speedText } from '../lib/summary.mjs';

export const colour = (name) => `var(--${name})`;
const title = (name) => ENGINES[name]?.title ?? name;
const FONT = { fontFamily: 'inherit', fontSize: '12px', background: 'none', overflow: 'visible' };

/** Space for the longest label, at about seven pixels a letter. */
const marginFor = (labels, width) => Math.min(Math.round(0.46 * width), 12 + Math.ceil(6.6 * Math.max(...labels.map((label) => label.length))));

/**
 * Horizontal bars in groups. `bars`: `{ row, engine, value, least, most, text }`; whiskers from least to most;
 * `marks`: `{ row, value }`, a line across the row: its ceiling.
 */
export function groupedBars(document, { bars, marks = [], width, narrow }) {
  const rows = [...new Set(bars.map(({ row }) => row))];
  const crowded = bars.length > rows.length;
  const engines = crowded ? [...new Set(bars.map(({ engine }) => engine))].sort((a, b) => order(a) - order(b)) : [''];
  const lane = ({ engine }) => (crowded ? engine : '');
  const most = Math.max(...bars.map(({ most: end, value }) => end ?? value), ...marks.map(({ value }) => value));
  const band = crowded ? 13 * engines.length + 12 : 26;
  return Plot.plot({
    document, width, style: FONT,
    height: (narrow ? 48 : 32) + rows.length * (band + (narrow ? 20 : 0)),
    marginLeft: narrow ? 8 : marginFor(rows, width), marginRight: 62, marginTop: narrow ? 20 : 24, marginBottom: narrow ? 24 : 8,
    x: { domain: [0, most], grid: true, label: null, axis: narrow ? 'bottom' : 'top', ticks: Math.max(3, Math.round(width / 110)), tickSize: 0 },
    fy: { domain: rows, label: null, axis: null, padding: narrow ? 0.3 : 0.12 },
    y: { domain: engines, axis: null, padding: crowded ? 0.08 : 0.2 },
    marks: [
      Plot.barX(bars, { fy: 'row', y: lane, x: 'value', fill: ({ engine }) => colour(engine), rx2: 2 }),
      Plot.ruleY(bars.filter(({ least, most: end }) => end > least), { fy: 'row', y: lane, x1: 'least', x2: 'most', stroke: 'var(--ink)', strokeOpacity: 0.55 }),
      Plot.text(bars, { fy: 'row', y: lane, x: ({ value, most: end }) => Math.max(value, end ?? 0), text: 'text', textAnchor: 'start', dx: 5, fill: 'var(--ink)', fontVariant: 'tabular-nums', fontSize: 11 }),
      Plot.tickX(marks, { fy: 'row', x: 'value', stroke: 'var(--ceiling)', strokeWidth: 1.5, strokeDasharray: '4 2' }),
      narrow
        ? Plot.text(rows, { fy: (row) => row, frameAnchor: 'top-left', dy: -15, text: (row) => row, textAnchor: 'start', fill: 'var(--ink)', fontWeight: 500 })
        : Plot.text(rows, { fy: (row) => row, frameAnchor: 'left', dx: -8, text: (row) => row, textAnchor: 'end', fill: 'var(--ink)' }),
      Plot.ruleX([0], { stroke: 'var(--ink)', strokeOpacity: 0.4 }),
    ],
  });
}

/** Ratios on a logarithmic axis: one dot a row and engine, 1 and the wanted ratio as lines. */
export function ratioDots(document, { dots, wanted, width, narrow }) {
  const rows = [...new Set(dots.map(({ row }) => row))];
  const values = dots.map(({ value }) => value);
  return Plot.plot({
    document, width, style: FONT,
    height: 40 + rows.length * (narrow ? 36 : 20),
    marginLeft: narrow ? 8 : marginFor(rows, width), marginRight: 24, marginTop: narrow ? 16 : 26, marginBottom: narrow ? 24 : 8,
    x: { type: 'log', domain: [Math.min(0.8, ...values), Math.max(8, ...values) * 1.1], grid: true, label: null, axis: narrow ? 'bottom' : 'top', ticks: narrow ? 4 : 8, tickFormat: (value) => ([1, 2, 5].includes(Number(String(value)[0])) ? `${value}` : ''), tickSize: 0 },
    y: { domain: rows, label: null, axis: null },
    marks: [
      Plot.ruleY(rows, { y: (row) => row, stroke: 'var(--line)' }),
      Plot.ruleX([1], { stroke: 'var(--ink)', strokeOpacity: 0.6 }),
      ...(wanted ? [Plot.ruleX([wanted], { stroke: 'var(--ceiling)', strokeWidth: 1.5, strokeDasharray: '4 2' })] : []),
      Plot.dot(dots, { y: 'row', x: 'value', fill: ({ engine }) => colour(engine), r: 4, title: ({ engine, row, value }) => `${row}: ${speedText(value)} times ${title(engine)}` }),
      narrow
        ? Plot.text(rows, { y: (row) => row, frameAnchor: 'left', dy: -12, text: (row) => row, textAnchor: 'start', fill: 'var(--ink)', stroke: 'var(--paper)', strokeWidth: 4, fontSize: 11 })
        : Plot.text(rows, { y: (row) => row, frameAnchor: 'left', dx: -8, text: (row) => row, textAnchor: 'end', fill: 'var(--ink)' }),
    ],
  });
}

/** Lines over a numeric axis with the spread as a band. `points`: `{ x, engine, value, least, most }`. */
export function curves(document, { points, xLabel, yLabel, width, height = 240, dashed }) {
  const xs = [...new Set(points.map(({ x }) => x))].sort((a, b) => a - b);
  const engines = [...new Set(points.map(({ engine }) => engine))];
  return Plot.plot({
    document, width, height, style: FONT, marginLeft: 52, marginRight: 24, marginTop: 28, marginBottom: 36,
    x: { type: 'point', domain: xs, label: xLabel, tickSize: 0, labelAnchor: 'center', labelArrow: 'none' },
    y: { grid: true, zero: true, label: yLabel, ticks: 5, tickSize: 0, labelArrow: 'none' },
    marks: [
      Plot.areaY(points, { x: 'x', y1: 'least', y2: 'most', z: 'engine', fill: ({ engine }) => colour(engine), fillOpacity: 0.18 }),
      ...engines.map((engine) => Plot.lineY(points.filter((point) => point.engine === engine), { x: 'x', y: 'value', stroke: colour(engine), strokeWidth: 2, ...(dashed?.includes(engine) ? { strokeDasharray: '4 3' } : {}) })),
      Plot.dot(points, { x: 'x', y: 'value', fill: ({ engine }) => colour(engine), r: 3 }),
      Plot.ruleY([0], { stroke: 'var(--ink)', strokeOpacity: 0.4 }),
    ],
  });
}

function order(name) {
  const at = Object.keys(ENGINES).indexOf(name);
  return at === -1 ? Object.keys(ENGINES).length : at;
}

/** A chart by uPlot. Loaded with the first chart, not with the page. */
import uPlot from 'uplot';
import 'uplot/dist/uPlot.min.css';
import type { ChartModel } from './charts';

export interface Plot {
  update(model: ChartModel): void;
  destroy(): void;
}

const HEIGHT = 190;
const LEAST_WIDTH = 120;

/** Draws `model` into `box`. `onCursor` is told the position in the columns that the pointer is at, null outside. */
export function plot(box: HTMLElement, first: ChartModel, onCursor: (at: number | null) => void): Plot {
  let model = first;
  let colours = readColours(box, model);
  const chart = new uPlot({
    width: Math.max(LEAST_WIDTH, box.clientWidth),
    height: HEIGHT,
    padding: [20, 14, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 8 } },
    scales: { x: { time: false, range: (_, low, high) => rangeOfSteps(low, high) }, y: { range: (_, low, high) => rangeOfValues(low, high, model.range) } },
    axes: [
      { stroke: () => colours.quiet, grid: { show: false }, ticks: { show: false }, size: 26, gap: 4, font: '12px system-ui, sans-serif', incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 50_000, 100_000], space: 44 },
      { stroke: () => colours.quiet, grid: { stroke: () => colours.line, width: 1 }, ticks: { show: false }, size: 52, gap: 4, font: '12px system-ui, sans-serif', space: 34, values: (_, splits) => splits.map((value) => tick(value, model)) },
    ],
    series: [
      {},
      ...model.series.map(({ dashed }, i) => ({
        stroke: () => colours.series[i], width: 2, ...(dashed && { dash: [6, 4] }),
        points: { show: (_: uPlot, __: number, from: number, to: number) => to - from < 40, size: 6, stroke: () => colours.series[i], fill: () => colours.series[i] },
      })),
    ],
    hooks: {
      setCursor: [({ cursor }) => onCursor(cursor.idx ?? null)],
      drawClear: [(self) => mark(self, model, colours)],
    },
  }, columns(model), box);

  // Drawn at most once a frame, however often new numbers come. The width is read then, too: of several changes before a
  // frame, only the last counts.
  let frame = 0;
  let data = false;
  const draw = (): void => {
    frame = 0;
    const width = Math.max(LEAST_WIDTH, box.clientWidth);
    if (data) chart.setData(columns(model));
    if (width !== chart.width && box.clientWidth > 0) chart.setSize({ width, height: HEIGHT });
    else if (!data) chart.redraw(false, true);
    data = false;
  };
  const soon = (): void => {
    frame ||= requestAnimationFrame(draw);
  };
  const follow = (): void => {
    colours = readColours(box, model);
    soon();
  };
  const resized = new ResizeObserver(() => {
    if (box.clientWidth !== chart.width) soon();
  });
  resized.observe(box);
  const system = matchMedia('(prefers-color-scheme: dark)');
  system.addEventListener('change', follow);
  const chosen = new MutationObserver(follow);
  chosen.observe(document.documentElement, { attributes: true, attributeFilter: ['data-theme', 'class', 'style'] });

  return {
    update(next) {
      if (next === model) return;
      model = next;
      data = true;
      soon();
    },
    destroy() {
      cancelAnimationFrame(frame);
      resized.disconnect();
      chosen.disconnect();
      system.removeEventListener('change', follow);
      chart.destroy();
    },
  };
}

interface Colours {
  readonly quiet: string;
  readonly line: string;
  readonly mark: string;
  readonly series: readonly string[];
}

/** Read when the theme changes, not when a chart is drawn: asking for a style makes the browser compute it. */
function readColours(box: HTMLElement, { series }: ChartModel): Colours {
  const style = getComputedStyle(box);
  const of = (name: string): string => style.getPropertyValue(name).trim() || 'gray';
  return { quiet: of('--quiet'), line: of('--line'), mark: of('--line-strong'), series: series.map(({ colour }) => of(colour)) };
}

function columns({ columns: all }: ChartModel): uPlot.AlignedData {
  return all as unknown as uPlot.AlignedData;
}

/** A single point stands in the middle. */
function rangeOfSteps(low: number, high: number): [number, number] {
  if (!(high >= low)) return [0, 1];
  return high > low ? [low, high] : [low - 1, high + 1];
}

/** A little room around the values, within `bounds`; never below zero where nothing is. */
function rangeOfValues(low: number | null, high: number | null, bounds?: readonly [number, number]): [number, number] {
  if (low === null || high === null || !Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const room = Math.max((high - low) * 0.08, Math.abs(high) * 0.02, 1e-6);
  const [least, most] = bounds ?? [low >= 0 ? 0 : -Infinity, Infinity];
  // Of a bounded value, at least a tenth of its range: noise should not look like progress.
  const tenth = bounds ? (bounds[1] - bounds[0]) / 10 : 0;
  if (high - low < tenth) return high >= most - tenth ? [most - tenth, most] : [Math.max(least, low - tenth / 2), Math.max(least, low - tenth / 2) + tenth];
  return [Math.max(least, low - room), Math.min(most, high + room)];
}

function tick(value: number, { format, range }: ChartModel): string {
  return range ? `${Number((value * 100).toFixed(1))} %` : format(value);
}

/** A line, under the curves, at the epoch that is kept, and its words above. */
function mark(self: uPlot, { marked }: ChartModel, colours: Colours): void {
  if (!marked) return;
  const { ctx, bbox } = self;
  const x = Math.round(self.valToPos(marked.x, 'x', true)) + 0.5;
  const side = x > bbox.left + bbox.width * 0.85 ? 'right' : x < bbox.left + bbox.width * 0.15 ? 'left' : 'center';
  ctx.save();
  ctx.strokeStyle = colours.mark;
  ctx.fillStyle = colours.quiet;
  ctx.lineWidth = devicePixelRatio;
  ctx.setLineDash([2 * devicePixelRatio, 3 * devicePixelRatio]);
  ctx.beginPath();
  ctx.moveTo(x, bbox.top);
  ctx.lineTo(x, bbox.top + bbox.height);
  ctx.stroke();
  ctx.font = `${12 * devicePixelRatio}px system-ui, sans-serif`;
  ctx.textAlign = side;
  ctx.textBaseline = 'bottom';
  ctx.fillText(marked.label, x, bbox.top - 3 * devicePixelRatio);
  ctx.restore();
}

/** The table that bench/models.mjs prints, at 80 columns. */

/** The workloads, in the order in which they run, with the two lines of their labels. */
const LABELS = {
  forward: ['forward', ''],
  head: ['head step', ''],
  cached: ['head step,', ' cached features'],
  full: ['full step', ''],
};
export const WORKLOADS = Object.keys(LABELS);
const [LABEL_WIDTH, CELL_WIDTH] = [20, 20];
const MB = 2 ** 20;

export const rounded = (ms) => Math.round(ms * 1000) / 1000;

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

function time(ms) {
  return ms >= 100 ? ms.toFixed(0) : ms >= 10 ? ms.toFixed(1) : ms.toFixed(2);
}

/** Median, and the median over rounds of this engine's time by Graft's of the same round; below, the extremes. */
function cell(samples, base) {
  if (!samples) return ['-', ''];
  const ratio = base && base !== samples ? `  ${median(samples.map((ms, i) => ms / base[i])).toFixed(2)}x` : '';
  return [`${time(median(samples))} ms${ratio}`, samples.length > 1 ? `${time(Math.min(...samples))} .. ${time(Math.max(...samples))}` : ''];
}

export function printReport(result, engines, names) {
  const line = (label, cells) => console.log((label.padEnd(LABEL_WIDTH) + cells.map((text) => text.padEnd(CELL_WIDTH)).join('')).trimEnd());
  const row = (label, cells, note = '') => {
    line(label, cells.map(([first]) => first));
    if (note || cells.some(([, second]) => second)) line(note, cells.map(([, second]) => second));
  };
  const { options, rows, cold, memory, load, versions } = result;
  const graft = result.adapters.graft ?? result.adapters.tfjs;
  console.log(`ResNet-18, batch ${options.batch}, ${options.size} x ${options.size}, float32; rounds: ${options.runs} (median, fastest .. slowest)`);
  console.log(`adapter  ${graft?.description ?? 'not told'}${graft?.software ? ' (software)' : ''}`);
  console.log(`machine  ${result.system}; Node ${result.node}`);
  console.log(`load     ${load.start.toFixed(1)} before, ${load.end.toFixed(1)} after`);
  console.log(`commit   ${result.commit ?? 'unknown'}${result.uncommittedChanges ? ' and changes' : ''}\n`);
  line('', names.map((name) => engines[name].title));
  line('', names.map((name) => versions[name === 'graft' ? 'graft' : engines[name].packages[0]]));
  for (const workload of WORKLOADS) {
    const { ms } = rows[workload];
    const [label, note] = LABELS[workload];
    row(label, names.map((name) => cell(ms[name], ms.graft)), note);
  }
  row('process start to', names.map((name) => cell(cold[name], cold.graft)), ' first logits');
  const bytes = (field) => names.map((name) =>
    ['forward', 'full'].map((workload) => memory[name]?.[workload]?.[field]).map((value) => (value === undefined ? '-' : `${(value / MB).toFixed(0)} MB`)).join(' / '));
  line('memory after', names.map(() => 'forward / full'));
  line(' GPU, allocated', bytes('allocated'));
  line(' process, RSS', bytes('rss'));
  console.log(`\n0.00x: its time by graft's, round by round. Checked first: ${checks(result.checks)}`);
  const other = Object.entries(result.adapters).find(([, adapter]) => adapter && adapter.description !== graft?.description);
  if (other) console.log(`NOTE ${other[0]} ran on another adapter: ${other[1].description}`);
  if (load.start > result.processors / 4) console.log('NOTE the machine was busy before the start: these figures say little');
  if (options.unchecked) console.log("NOTE Dawn's bounds checks and validation were off for graft and tfjs");
}

function checks(list) {
  if (list.length === 0) return 'nothing, for want of a second engine.';
  const worst = (what) => Math.max(...list.filter((each) => (each.what === 'logits') === what).map(({ error }) => error));
  const parts = [[true, 'logits'], [false, 'losses']].filter(([what]) => Number.isFinite(worst(what))).map(([what, name]) => `${name} agree to ${worst(what).toExponential(0)}`);
  return `${parts.join(', ')}.`;
}

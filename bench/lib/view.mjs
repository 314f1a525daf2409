/** A section of a result as groups of rows with one entry an engine: what a page draws and what goes into Markdown. */
import { WORKLOADS } from './cases.mjs';
import { pairwise } from './numbers.mjs';
import { ENGINES, adapterOf, adapterTitle, ceilingsOf, kernelFigures, megabytes, ratioText, speedText, spread, timeText } from './summary.mjs';

export const engineTitle = (name) => ENGINES[name]?.title ?? name;

const capital = (text) => text[0].toUpperCase() + text.slice(1);
const inOrder = (names) => [...Object.keys(ENGINES).filter((name) => names.includes(name)), ...names.filter((name) => !ENGINES[name])];

/** Entries of a row of samples in milliseconds; `ratio`: of the engine's time by Graft's in the same round. */
function timed(ms) {
  return inOrder(Object.keys(ms)).map((engine) => {
    const { median, least, most } = spread(ms[engine]);
    return { engine, value: median, least, most, text: timeText(median), spread: spreadText(least, most, timeText), ratio: engine === 'graft' || !ms.graft ? null : pairwise(ms[engine], ms.graft), samples: ms[engine].length };
  });
}
const plain = (engine, value, text, own) => ({ engine, value, least: value, most: value, text, spread: '', ratio: engine === 'graft' || own === undefined ? null : value / own, samples: 1 });
const spreadText = (least, most, text) => (text(least) === text(most) ? '' : `${text(least)} to ${text(most)}`);

const VIEWS = {
  kernels(section) {
    const ceilings = ceilingsOf(section);
    const groups = new Map();
    for (const row of section.rows) {
      const figures = kernelFigures(row, ceilings);
      const entries = inOrder(Object.keys(figures.speeds)).map((engine) => {
        const { speed, slowest, fastest, ms } = figures.speeds[engine];
        const off = row.deviation[engine];
        return {
          engine, value: speed, least: slowest, most: fastest, text: `${speedText(speed)} ${figures.unit}`, spread: spreadText(slowest, fastest, speedText), ratio: figures.ratios[engine] ?? null, samples: row.ms[engine].length,
          more: `${timeText(ms)} a run${off === undefined ? '' : `; off by ${off.toExponential(0)} of a typical element at most`}`,
        };
      });
      const title = { matmul: 'Matrix products', memory: 'Bound by memory' }[row.group] ?? capital(row.group.replace('conv', 'convolution,'));
      if (!groups.has(title)) groups.set(title, { title, unit: figures.unit, better: 'more', rows: [] });
      groups.get(title).rows.push({ label: row.name ?? row.id, entries, failed: row.failed, bound: { value: figures.ceiling, text: `ceiling ${speedText(figures.ceiling)} ${figures.unit}` } });
    }
    return {
      lead: `Ceilings in the same run: ${speedText(ceilings.fma)} GFLOP/s for multiply-adds in registers, ${speedText(ceilings.copy)} GB/s for a copy.`,
      groups: [...groups.values()],
    };
  },

  models: ({ models }) => ({
    lead: agreement(models.flatMap(({ checks }) => checks)),
    groups: Object.keys(WORKLOADS).filter((workload) => models.some(({ rows }) => rows[workload])).map((workload) => ({
      title: capital(WORKLOADS[workload]), unit: 'ms', better: 'less',
      rows: models.filter(({ rows }) => rows[workload]).map(({ id, rows, cold, failed = {} }) => ({
        label: id, entries: timed(rows[workload].ms), failed: { ...failed, ...rows[workload].failed },
        detail: cold && workload === 'forward' ? `From nothing to the first result: ${inOrder(Object.keys(cold)).map((name) => `${engineTitle(name)} ${timeText(cold[name])}`).join(', ')}` : '',
      })),
    })),
  }),

  start({ cold, warm, phases = {}, model, checks = [], visit, failed = {} }) {
    const label = `ResNet-${model.depth}, batch ${model.batch}, ${model.size} px`;
    const visits = visit ? [{ title: 'A visit: from nothing to the first prediction of the shipped base', unit: 'ms', better: 'less', rows: visitRows(visit) }] : [];
    return {
      lead: agreement(checks),
      groups: [
        { title: 'Cold: to the first result', unit: 'ms', better: 'less', rows: [{ label, entries: timed(cold), failed, detail: Object.entries(phases).map(([name, list]) => `${engineTitle(name)}: ${list.map(([phase, ms]) => `${phase} ${timeText(ms)}`).join(', ')}`).join('; ') }] },
        { title: 'Warm: one forward pass', unit: 'ms', better: 'less', rows: [{ label, entries: timed(warm), failed: {} }] },
        ...visits,
      ].filter(({ rows }) => rows.length > 0),
    };
  },

  memory: ({ rows, failed = {} }) => ({
    lead: 'The mark is what head training cannot do without: the weights, 1.2 times the two largest activations, and the head\'s state.',
    groups: [{
      title: 'Allocated on the device', unit: 'MB', better: 'less',
      rows: rows.map(({ id, floor, engines }) => ({
        label: id, failed, bound: { value: floor.total / 2 ** 20, text: `mark ${megabytes(floor.total)}` },
        entries: Object.entries(engines).filter(([, { allocated }]) => allocated !== undefined).map(([name, { allocated }]) => plain(name, allocated / 2 ** 20, megabytes(allocated), engines.graft && engines.graft.allocated / 2 ** 20)),
      })),
    }],
  }),

  tuning: ({ runs, images, epochs, size, batchSize, model }) => ({
    lead: `${model}, ${images} images of ${size} px, ${epochs} epochs in batches of ${batchSize}.${runs.some(({ measuredEpochs }) => measuredEpochs < epochs) ? ' A run that did not go to the end is extrapolated from the epochs that ran.' : ''}`,
    groups: [{
      title: 'The whole run', unit: 's', better: 'less',
      rows: runs.map(({ name, kind, ms, measuredEpochs }) => ({ label: kind === 'fineTune' ? kind : capital(kind), failed: {}, entries: [plain(name, ms / 1000, timeText(ms), runs[0].ms / 1000)], detail: measuredEpochs < epochs ? `${measuredEpochs} of ${epochs} epochs ran` : '' })),
    }],
  }),

  curves: ({ models }) => ({
    lead: agreement(models.flatMap(({ checks }) => checks)),
    groups: [...new Set(models.map(({ axis }) => axis))].flatMap((axis) => Object.keys(WORKLOADS).map((workload) => ({
      title: `${capital(WORKLOADS[workload])} by ${axis}`, unit: 'ms', better: 'less',
      rows: models.filter((item) => item.axis === axis && item.rows[workload]).map(({ value, rows, failed = {} }) => ({ label: `${axis} ${value}`, entries: timed(rows[workload].ms), failed: { ...failed, ...rows[workload].failed } })),
    })).filter(({ rows }) => rows.length > 0)),
  }),
};

/** Rows of the visits that were measured: see lib/start.mjs. */
export function visitRows(visit) {
  const names = { cold: 'Files fetched anew', warm: 'Files from the cache', together: 'Everything at once, as the pages do it' };
  return Object.entries(visit).map(([how, { total, second, phases, marks, pipelines }]) => ({
    label: names[how] ?? how, failed: {}, entries: [plain('graft', total, timeText(total))],
    detail: [...Object.entries(phases ?? marks ?? {}).map(([phase, ms]) => `${phase} ${timeText(ms)}`), ...(pipelines ? [`${pipelines} pipelines`] : []), `the next prediction ${timeText(second)}`].join(', '),
  }));
}

function agreement(checks) {
  return checks.length === 0 ? '' : `Outputs were compared first; they agree to ${Math.max(...checks.map(({ error }) => error)).toExponential(0)} of the largest.`;
}

/** Groups of a section; see the views above. `failed`: engines that did not run at all. */
export function sectionView(name, section) {
  const { lead, groups } = VIEWS[name](section);
  const failed = name === 'kernels' ? (section.failed ?? {}) : {};
  const done = section.rows?.length ?? section.models?.length;
  return { lead, groups, failed, partial: section.planned ? `${done} of ${section.planned} rows: the time for this was over.` : '' };
}

/** A whole result as Markdown. */
export function markdownOf(result, titles) {
  const lines = [];
  for (const [name, section] of Object.entries(result.sections)) {
    const { lead, groups, failed, partial } = sectionView(name, section);
    const adapter = adapterOf(section.facts);
    lines.push(`## ${titles[name] ?? name}`, '', [adapter && [adapterTitle(adapter), adapter.software && '(software)'].filter(Boolean).join(' '), section.facts.browser ?? `Node ${section.facts.node}`, section.facts.system, section.facts.date.slice(0, 10), Object.entries(section.facts.versions).map(([key, value]) => `${key} ${value}`).join(', ')].filter(Boolean).join('; '), '');
    for (const text of [lead, partial, ...Object.entries(failed).map(([engine, why]) => `${engineTitle(engine)} did not run: ${why}`)].filter(Boolean)) lines.push(text, '');
    for (const { title, unit, rows } of groups) {
      const engines = inOrder([...new Set(rows.flatMap(({ entries, failed: none }) => [...entries.map(({ engine }) => engine), ...Object.keys(none)]))]);
      lines.push(`### ${title}`, '', `| ${unit} | ${engines.map(engineTitle).join(' | ')} |`, `|---|${engines.map(() => '---:').join('|')}|`);
      for (const { label, entries, failed: why } of rows) {
        const cells = engines.map((engine) => {
          const entry = entries.find((each) => each.engine === engine);
          if (!entry) return why[engine] ? 'failed' : '';
          return `${entry.text}${entry.spread ? ` (${entry.spread})` : ''}${entry.ratio === null ? '' : `, ${ratioText(entry.ratio)}`}`;
        });
        lines.push(`| ${label} | ${cells.join(' | ')} |`);
      }
      lines.push(...rows.filter(({ detail }) => detail).map(({ label, detail }) => `\n${label}: ${detail}`), '');
    }
  }
  return lines.join('\n');
}

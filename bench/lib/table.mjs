/** The report for the terminal. */
import { WORKLOADS } from './cases.mjs';
import { ENGINES, bestPeer, ceilingsOf, kernelFigures, megabytes, ratioText, speedText, spread, timeText } from './summary.mjs';
import { pairwise } from './numbers.mjs';

const title = (name) => ENGINES[name]?.title ?? name;

/** Lines for one section of a result. */
export function sectionLines(name, section) {
  return ['', ...HEADS[name](section), ...factLines(section.facts)];
}

function factLines({ busy, uncommittedChanges, commit, filesNewerThanBuild }) {
  return [
    `processors ${(100 * busy).toFixed(0)} % busy before; commit ${commit?.slice(0, 10) ?? 'unknown'}${uncommittedChanges ? ' and changes' : ''}`,
    ...(busy > 0.1 ? ['NOTE the machine was busy before the start: these figures say little'] : []),
    ...(filesNewerThanBuild > 0 ? [`NOTE ${filesNewerThanBuild} source files are newer than dist: npm run build`] : []),
  ];
}

const HEADS = {
  kernels(section) {
    const ceilings = ceilingsOf(section);
    const lines = [`KERNELS   ceilings: ${speedText(ceilings.fma)} GFLOP/s (multiply-adds in registers), ${speedText(ceilings.copy)} GB/s (copy); best of ${section.ceilings.fma.length}`,
      'median speed; share of the ceiling; how many times the speed of each peer'];
    let unit;
    for (const row of section.rows) {
      const figures = kernelFigures(row, ceilings);
      if (figures.unit !== unit) lines.push(`${''.padEnd(42)}${(unit = figures.unit)}`);
      const own = figures.speeds.graft;
      const parts = [row.id.padEnd(40), own ? `${speedText(own.speed).padStart(7)} ${`${(100 * figures.share).toFixed(0)}%`.padStart(5)}` : '      -'];
      if (figures.speeds['graft-unchecked']) parts.push(`(unchecked ${speedText(figures.speeds['graft-unchecked'].speed)})`);
      for (const name of Object.keys(row.ms).filter((each) => !ENGINES[each].own)) parts.push(`${title(name)} ${speedText(figures.speeds[name].speed)}${own ? ` (${ratioText(figures.ratios[name])})` : ''}`);
      lines.push(parts.join('  '));
      for (const [name, why] of Object.entries(row.failed)) lines.push(`  ${title(name)} failed: ${why}`);
    }
    return lines;
  },
  models: (section) => ['MODELS   median (fastest .. slowest); by Graft\'s time in the same round', ...section.models.flatMap(modelLines)],
  curves: (section) => ['CURVES', ...section.models.flatMap(modelLines)],
  start(section) {
    return ['START   process start to first result, of a new process; then one forward, warm', ...Object.entries(section.cold).map(([name, samples]) => {
      const warm = section.warm[name];
      return `  ${title(name).padEnd(18)}${samplesText(samples)}   warm ${samplesText(warm)}`;
    }), ...Object.entries(section.phases ?? {}).map(([name, phases]) => `  ${title(name)}: ${phases.map(([phase, ms]) => `${phase} ${timeText(ms)}`).join(', ')}`), ...failures(section.failed)];
  },
  memory(section) {
    return ['MEMORY', ...section.rows.map(({ id, floor, engines }) =>
      `  ${id}: ${Object.entries(engines).map(([name, { allocated }]) => `${title(name)} ${megabytes(allocated)} (${(allocated / floor.total).toFixed(2)} of the mark)`).join(', ')}; mark ${megabytes(floor.total)} = weights ${megabytes(floor.weights)} + 1.2 x activations ${megabytes(floor.activations[0] + floor.activations[1])} + head ${megabytes(floor.head)}`),
    ...failures(section.failed)];
  },
  tuning({ runs, images, epochs, size, batchSize, model }) {
    const own = runs[0];
    return [`HEAD TUNING   ${model}, ${images} images of ${size} px, ${epochs} epochs, batches of ${batchSize}`, ...runs.map(({ name, kind, ms, measuredEpochs, losses }, i) =>
      `  ${`${title(name)}, ${kind}`.padEnd(38)} ${timeText(ms)}${i > 0 ? `  ${ratioText(ms / own.ms)}` : ''}  loss of epoch ${losses.length} ${losses.at(-1).toFixed(4)}${measuredEpochs < epochs ? `  (NOT measured to the end: ${measuredEpochs} of ${epochs} epochs ran, the rest taken at their mean)` : ''}`)];
  },
};

function samplesText(samples) {
  const { median, least, most } = spread(samples);
  return `${timeText(median)} (${timeText(least)} .. ${timeText(most)})`;
}

function failures(failed = {}) {
  return Object.entries(failed).map(([name, why]) => `  ${title(name)} failed: ${why}`);
}

function modelLines({ id, rows, memory, checks, failed }) {
  const worst = checks.length > 0 ? `; outputs agree to ${Math.max(...checks.map(({ error }) => error)).toExponential(0)}` : '';
  const lines = [`${id}${worst}`, ...failures(failed)];
  for (const [workload, row] of Object.entries(rows)) {
    lines.push(`  ${WORKLOADS[workload]}`);
    const best = bestPeer(row.ms);
    for (const [name, ms] of Object.entries(row.ms)) {
      const ratio = name !== 'graft' && row.ms.graft ? `  ${ratioText(pairwise(ms, row.ms.graft))}` : '';
      const js = row.jsMs[name] ? `  JavaScript ${timeText(spread(row.jsMs[name]).median)}` : '';
      const bytes = memory[name]?.[workload]?.allocated;
      lines.push(`    ${title(name).padEnd(18)}${samplesText(ms)}${ratio}${js}${bytes ? `  ${megabytes(bytes)}` : ''}`);
    }
    if (best) lines.push(`    best peer: ${ratioText(best.ratio)}`);
    lines.push(...failures(row.failed));
  }
  return lines;
}

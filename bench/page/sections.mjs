/** The sections of the results page, from a result to HTML. `chart(draw)` gives a drawing at the widths the page needs. */
import { WORKLOADS } from '../lib/cases.mjs';
import { pairwise } from '../lib/numbers.mjs';
import { ENGINES, bestPeer, ceilingsOf, isPeer, kernelFigures, megabytes, ratioText, speedText, spread, timeText } from '../lib/summary.mjs';
import { visitRows } from '../lib/view.mjs';
import { curves, groupedBars, ratioDots } from './charts.mjs';

export const escape = (text) => String(text).replace(/[&<>"]/g, (character) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[character]);
const title = (name) => ENGINES[name]?.title ?? name;
const swatch = (name) => `<span class="swatch" style="background:var(--${name})"></span>${escape(title(name))}`;
const legend = (names, ceiling, unit) => `<p class="legend">${unit ? `<b>${escape(unit)}</b>` : ''}${names.map((name) => `<span>${swatch(name)}</span>`).join('')}${ceiling ? `<span><span class="dash"></span>${escape(ceiling)}</span>` : ''}</p>`;
const ordered = (names) => Object.keys(ENGINES).filter((name) => names.has(name));

/** A table that scrolls by itself where the screen is narrow. `rows`: lists of cells, HTML. */
function table(head, rows) {
  const cell = (tag, text, i) => `<${tag}${i > 0 ? ' class="n"' : ''}>${text}</${tag}>`;
  return `<div class="scroll"><table><thead><tr>${head.map((text, i) => cell('th', text, i)).join('')}</tr></thead><tbody>${rows.map((row) => `<tr>${row.map((text, i) => cell(i === 0 ? 'th' : 'td', text, i)).join('')}</tr>`).join('')}</tbody></table></div>`;
}

const withSpread = (middle, least, most) => `${middle}<small>${least === most ? '' : `${least} – ${most}`}</small>`;
const details = (summary, content) => `<details><summary>${summary}</summary>${content}</details>`;

function failedLine(failed = {}) {
  const list = Object.entries(failed);
  return list.length === 0 ? '' : `<p class="note">Left out: ${list.map(([name, why]) => `${escape(title(name))} (${escape(why.slice(0, 160))})`).join('; ')}</p>`;
}

/** Wanted on a software adapter, as ratios to the best peer: the floors of docs/performance.md. */
const WANTED = { matmul: 2.5, 'conv forward': 2.5, 'conv input gradient': 2.5, 'conv weight gradient': 4 };
const GROUPS = { matmul: 'Matrix products', 'conv forward': 'Convolutions, forward', 'conv input gradient': 'Convolutions, input gradient', 'conv weight gradient': 'Convolutions, weight gradient', memory: 'Bound by memory' };

export function kernelsSection(section, chart, torch) {
  const ceilings = ceilingsOf(section);
  const rows = section.rows.map((row) => withTorch(row, torch));
  const parts = Object.entries(GROUPS).filter(([group]) => rows.some((row) => row.group === group)).map(([group, heading]) => {
    const list = rows.filter((row) => row.group === group).map((row) => ({ row, figures: kernelFigures(row, ceilings), label: row.name ?? row.id }));
    const names = ordered(new Set(list.flatMap(({ row }) => Object.keys(row.ms))));
    const drawn = names.filter((name) => name !== 'graft-unchecked');
    const bars = list.flatMap(({ figures, label }) => drawn.filter((name) => figures.speeds[name]).map((name) => {
      const { speed, slowest, fastest } = figures.speeds[name];
      return { row: label, engine: name, value: speed, least: slowest, most: fastest, text: speedText(speed) };
    }));
    const marks = list.map(({ figures, label }) => ({ row: label, value: figures.ceiling }));
    const dots = list.flatMap(({ figures, label }) => Object.entries(figures.ratios).filter(([name]) => isPeer(name)).map(([engine, value]) => ({ row: label, engine, value })));
    const { unit } = list[0].figures;
    const peers = names.filter(isPeer);
    const cells = list.map(({ row, figures }) => [
      `${escape(row.id)}${row.nets?.length ? `<small>ResNet-${row.nets.join(', -')}</small>` : ''}`,
      ...names.map((name) => {
        const s = figures.speeds[name];
        if (!s) return row.failed[name] ? `<span title="${escape(row.failed[name])}">failed</span>` : '–';
        return withSpread(speedText(s.speed), speedText(s.slowest), speedText(s.fastest));
      }),
      figures.share === null ? '–' : `${(100 * figures.share).toFixed(0)} %`,
      ...(peers.length > 0 ? [figures.best ? `${ratioText(figures.best.ratio)}<small>${escape(title(figures.best.name))}</small>` : '–'] : []),
    ]);
    const ratios = list.flatMap(({ figures }) => (figures.best ? [figures.best.ratio] : []));
    const summary = ratios.length > 0 ? `<p>Times the best peer: ${ratioText(Math.min(...ratios))} to ${ratioText(Math.max(...ratios))}${WANTED[group] ? `; wanted: ${WANTED[group]}x` : ''}.</p>` : '';
    return `<h3>${heading}</h3>${summary}${legend(drawn, 'ceiling of the row', unit)}${chart((size) => groupedBars(size.document, { bars, marks, ...size }))}${
      dots.length > 0 ? `${legend(peers, WANTED[group] ? `wanted: ${WANTED[group]} times` : undefined, 'Graft, times as fast as')}${chart((size) => ratioDots(size.document, { dots, wanted: WANTED[group], ...size }))}` : ''}${
      details('Figures', table([`${escape(unit)}, median and spread`, ...names.map(swatch), 'of the ceiling', ...(peers.length > 0 ? ['best peer'] : [])], cells))}`;
  });
  return `<p>Ceilings in the same run: <b>${speedText(ceilings.fma)} GFLOP/s</b> for multiply-adds that stay in registers, <b>${speedText(ceilings.copy)} GB/s</b> for a copy, reads and writes counted; the best of ${section.ceilings.fma.length} measurements. A row's ceiling is the smaller of what it can multiply and what it can fetch. Convolutions are counted by the direct method's operations, so Winograd's can pass a ceiling.</p>${failedLine(section.failed)}${parts.join('')}`;
}

/** PyTorch's samples of the same case beside the others. */
function withTorch(row, torch) {
  return { ...row, ms: { ...row.ms, ...torchSamples(torch?.kernels?.[row.id]) } };
}

/** By the page's names of the two precisions; empty where PyTorch did not run the case. */
function torchSamples(times) {
  return Object.fromEntries([['torch', times?.f32], ['torch-f16', times?.f16]].filter(([, ms]) => ms));
}

export function modelsSection(section, chart, torch) {
  const workloads = Object.keys(WORKLOADS).filter((workload) => section.models.some(({ rows }) => rows[workload]));
  const js = jsTable(section.models);
  return workloads.map((workload) => {
    const models = section.models.filter(({ rows }) => rows[workload]).map((item) => {
      return { ...item, row: { ...item.rows[workload], ms: { ...item.rows[workload].ms, ...torchSamples(torch?.models?.[item.id]?.[workload]) } } };
    });
    const names = ordered(new Set(models.flatMap(({ row }) => Object.keys(row.ms))));
    const drawn = names.filter((name) => name === 'graft' || !ENGINES[name].own);
    const bars = models.flatMap(({ id, row }) => drawn.filter((name) => row.ms[name]).map((name) => {
      const { median: middle, least, most } = spread(row.ms[name]);
      const base = spread(row.ms.graft ?? row.ms[name]).median;
      return { row: id, engine: name, value: middle / base, least: least / base, most: most / base, text: `${timeText(middle)}` };
    }));
    const cells = models.map(({ id, row }) => {
      const best = bestPeer(row.ms);
      return [escape(id), ...names.map((name) => {
        if (!row.ms[name]) return row.failed[name] ? `<span title="${escape(row.failed[name])}">failed</span>` : '–';
        const { median: middle, least, most } = spread(row.ms[name]);
        const ratio = name === 'graft' || !row.ms.graft ? '' : `<b>${ratioText(pairwise(row.ms[name], row.ms.graft))}</b> `;
        return withSpread(`${ratio}${timeText(middle)}`, timeText(least), timeText(most));
      }), best ? `${ratioText(best.ratio)}<small>${escape(title(best.name))}</small>` : '–'];
    });
    return `<h3>${escape(WORKLOADS[workload][0].toUpperCase() + WORKLOADS[workload].slice(1))}</h3>${legend(drawn, undefined, 'Time by Graft’s')}${chart((size) => groupedBars(size.document, { bars, ...size }))}${
      details('Figures', table(['median and spread; times Graft’s', ...names.map(swatch), 'best peer'], cells))}`;
  }).join('') + js;
}

/** Graft's own time in JavaScript a step, replayed and eager. */
function jsTable(models) {
  const rows = models.flatMap(({ id, rows: all }) => Object.entries(all).filter(([, row]) => row.jsMs.graft).map(([workload, row]) => {
    const cell = (name) => {
      if (!row.jsMs[name]) return '–';
      const value = spread(row.jsMs[name]).median;
      return `${timeText(value)}<small>${((100 * value) / spread(row.ms[name]).median).toFixed(1)} % of the step</small>`;
    };
    return [`${escape(id)}<small>${escape(WORKLOADS[workload])}</small>`, ...['graft', 'graft-eager', 'tfjs', 'jax'].map(cell)];
  }));
  return rows.length === 0 ? '' : `<h3>JavaScript in a step</h3><p>From the first call to the last submission, without uploading the images (tfjs and jax-js: with it).</p>${table(['median', ...['graft', 'graft-eager', 'tfjs', 'jax'].map(swatch)], rows)}`;
}

export function tuningSection({ runs, images, epochs, size, batchSize, model }, chart) {
  const own = runs[0];
  const bars = runs.map(({ name, kind, ms }) => ({ row: `${title(name)}, ${kind}`, engine: name, value: ms / 1000, text: timeText(ms) }));
  const cells = runs.map(({ name, kind, ms, measuredEpochs, losses }, i) => [
    `${swatch(name)}<small>${escape(kind)}</small>`, timeText(ms), i === 0 ? '–' : ratioText(ms / own.ms), `${measuredEpochs} of ${epochs}${measuredEpochs < epochs ? '<small>the rest at their mean</small>' : ''}`,
    losses.map((loss) => loss.toFixed(3)).join(' '),
  ]);
  const partial = runs.some(({ measuredEpochs }) => measuredEpochs < epochs);
  return `<p>${escape(model)}, ${images} images of ${size} px, ${epochs} epochs in batches of ${batchSize}, the same order and weights; mean losses of the epochs agree to 1e-3.${partial ? ' <b>A run that did not go to the end is extrapolated: see “epochs measured”.</b>' : ''}</p>${legend([], undefined, 'Seconds')}${chart((wide) => groupedBars(wide.document, { bars, ...wide }))}${table(['', 'time', 'by Graft’s', 'epochs measured', 'mean loss by epoch'], cells)}`;
}

export function curvesSection({ models }, chart) {
  const axes = [...new Set(models.map(({ axis }) => axis))];
  return axes.map((axis) => {
    const list = models.filter((item) => item.axis === axis);
    const names = ordered(new Set(list.flatMap(({ rows }) => Object.values(rows).flatMap(({ ms }) => Object.keys(ms)))));
    const workloads = Object.keys(WORKLOADS).filter((workload) => list.some(({ rows }) => rows[workload]));
    const figures = workloads.map((workload) => {
      const points = list.flatMap(({ value, rows }) => Object.entries(rows[workload]?.ms ?? {}).map(([engine, ms]) => ({ x: value, engine, ...spreadPoint(ms) })));
      const memory = list.flatMap(({ value, memory: all }) => names.filter((name) => all[name]?.[workload]?.allocated).map((engine) => point(value, engine, all[engine][workload].allocated / 2 ** 20)));
      return `<figure><figcaption>${escape(WORKLOADS[workload])}: time</figcaption>${chart((size) => curves(size.document, { points, xLabel: axis, yLabel: 'ms', ...size }), true)}</figure>${
        memory.length > 0 ? `<figure><figcaption>${escape(WORKLOADS[workload])}: bytes allocated</figcaption>${chart((size) => curves(size.document, { points: memory, xLabel: axis, yLabel: 'MB', ...size }), true)}</figure>` : ''}`;
    });
    return `<h3>By ${escape(axis)}</h3>${legend(names)}<div class="grid">${figures.join('')}</div>${details('Figures', table([escape(axis), ...workloads.flatMap((workload) => names.map((name) => `${swatch(name)}<small>${escape(WORKLOADS[workload])}</small>`))],
      list.map(({ id, rows, memory }) => [escape(id), ...workloads.flatMap((workload) => names.map((name) => {
        const ms = rows[workload]?.ms[name];
        const bytes = memory[name]?.[workload]?.allocated;
        return ms ? `${timeText(spread(ms).median)}<small>${bytes ? megabytes(bytes) : ''}</small>` : '–';
      }))])))}`;
  }).join('');
}

function spreadPoint(ms) {
  const { median: value, least, most } = spread(ms);
  return { value, least, most };
}

const point = (x, engine, value) => ({ x, engine, value, least: value, most: value });

export function startSection({ cold, warm, phases, model, visit, facts }, chart) {
  const bars = Object.entries(cold).map(([engine, samples]) => {
    const { median: value, least, most } = spread(samples);
    return { row: title(engine), engine, value, least, most, text: timeText(value) };
  });
  const cells = Object.keys(cold).map((name) => {
    const [c, w] = [spread(cold[name]), spread(warm[name])];
    return [swatch(name), withSpread(timeText(c.median), timeText(c.least), timeText(c.most)), withSpread(timeText(w.median), timeText(w.least), timeText(w.most)),
      phases?.[name] ? phases[name].map(([phase, ms]) => `${escape(phase)} ${timeText(ms)}`).join(', ') : '–'];
  });
  return `<p>From the start of a new ${facts.browser ? 'worker' : 'process'} to the first logits of ResNet-${model.depth} (batch ${model.batch}, ${model.size} px): imports, device, weights${facts.browser ? '' : ' from disk'}, pipelines, one forward. The ${facts.browser ? 'browser' : 'driver'} keeps compiled shaders on disk between runs.</p>${legend([], undefined, 'Milliseconds to the first result')}${chart((size) => groupedBars(size.document, { bars, ...size }))}${table(['', 'cold', 'warm forward', 'of it (last start)'], cells)}${visit ? visitTable(visit) : ''}`;
}

/** Visits to a page with the shipped base, in a browser: see lib/start.mjs. */
function visitTable(visit) {
  const rows = visitRows(visit).map(({ label, entries: [{ text }], detail }) => [escape(label), text, escape(detail)]);
  return `<h3>A visit: from nothing to the first prediction of the shipped base</h3>${table(['', 'in all', 'of it'], rows)}`;
}

export function memorySection({ rows }, chart) {
  const bars = rows.flatMap(({ id, engines }) => Object.entries(engines).map(([engine, { allocated }]) => ({ row: id, engine, value: allocated / 2 ** 20, text: megabytes(allocated) })));
  const marks = rows.map(({ id, floor }) => ({ row: id, value: floor.total / 2 ** 20 }));
  const cells = rows.flatMap(({ id, floor, engines }) => Object.entries(engines).map(([name, { allocated, rss }]) =>
    [`${escape(id)}<small>${escape(title(name))}</small>`, megabytes(allocated), megabytes(floor.total), `${(allocated / floor.total).toFixed(2)}`, `${megabytes(floor.weights)} + 1.2 × ${megabytes(floor.activations[0] + floor.activations[1])} + ${megabytes(floor.head)}`, rss === undefined ? '–' : megabytes(rss)]));
  return `${legend(ordered(new Set(bars.map(({ engine }) => engine))), 'the mark: weights, 1.2 times the two largest activations, the head’s state', 'MB on the device')}${chart((size) => groupedBars(size.document, { bars, marks, ...size }))}${table(['', 'allocated', 'the mark', 'share', 'weights + activations + head', 'process (RSS)'], cells)}`;
}

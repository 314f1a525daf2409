/** The results page: one file that stands alone, in light and dark, from 360 pixels up. No script runs in it. */
import { adapterOf, adapterTitle } from '../lib/summary.mjs';
import { curvesSection, escape, kernelsSection, memorySection, modelsSection, startSection, tuningSection } from './sections.mjs';

const SECTIONS = [
  ['kernels', 'Kernels', kernelsSection],
  ['models', 'Networks', modelsSection],
  ['tuning', 'Head tuning', tuningSection],
  ['curves', 'Scaling', curvesSection],
  ['memory', 'Memory', memorySection],
  ['start', 'Start', startSection],
];
/** A chart is drawn for a wide and for a narrow page; CSS shows one. */
const [WIDE, NARROW, HALF] = [960, 328, 460];

/** `results`: `{ name, result, torch }`, one a machine; `document` makes the SVG. */
export function renderPage(results, document) {
  const chart = (draw, half = false) => {
    const one = (width, narrow, className) => `<div class="${className}">${draw({ document, width, narrow }).outerHTML}</div>`;
    return `<div class="chart${half ? ' half' : ''}" role="img">${one(half ? HALF : WIDE, false, 'wide')}${one(NARROW, true, 'narrow')}</div>`;
  };
  const machines = results.map(({ name, result, torch }) => machine(name, result, torch, chart));
  const nav = results.flatMap(({ name, result }) => SECTIONS.filter(([key]) => result.sections[key]).map(([key, heading]) => `<a href="#${id(name, key)}">${results.length > 1 ? `${escape(name)}: ` : ''}${heading}</a>`));
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Graft: benchmarks</title>
<style>${STYLE}</style>
<main>
<h1>Graft beside its peers</h1>
<p class="lead">The same shapes, weights and images for every engine; one sample each in turn, round after round; outputs compared before anything is timed. A ratio is the median over rounds of an engine’s time by Graft’s in the same round: above 1, Graft is faster. How it is measured: <a href="../../bench/README.md">bench/README.md</a>.</p>
<nav>${nav.join('')}</nav>
${machines.join('\n')}
</main>
</html>
`;
}

const id = (name, key) => `${name}-${key}`.replace(/[^\w-]+/g, '-');

function machine(name, { sections }, torch, chart) {
  const present = SECTIONS.filter(([key]) => sections[key]);
  const facts = present.map(([key]) => sections[key].facts);
  const adapter = facts.map(adapterOf).find(Boolean);
  const commits = new Set(facts.map(({ commit }) => commit));
  const body = present.map(([key, heading, render]) => `<section id="${id(name, key)}"><h2>${heading}</h2>${render(sections[key], chart, torch)}${footnote(sections[key].facts, commits.size > 1)}</section>`);
  return `<header class="machine"><h2 class="adapter">${escape(adapter ? adapterTitle(adapter) : name)}${adapter?.software ? ' <span class="tag">software</span>' : ''}</h2>${factList(facts[0], adapter, torch, commits)}${adapter?.software ? '<p class="note">A software adapter runs kernels on the processor: these figures compare engines, they say nothing about a GPU.</p>' : ''}</header>${body.join('\n')}`;
}

function factList({ system, node, browser, versions, date, features }, adapter, torch, commits) {
  const list = [
    ['machine', system], ['adapter', [adapter?.vendor, adapter?.architecture].filter(Boolean).join(', ')], ['Node', node], ['browser', browser],
    ['commit', [...commits].map((commit) => commit?.slice(0, 10) ?? 'unknown').join(', ')], ['date', date.slice(0, 10)],
    ['versions', Object.entries(versions).map(([key, value]) => `${key} ${value}`).join(', ')],
    ...(features ? [['features', features.join(', ')]] : []),
    ...(torch ? [['PyTorch', `${torch.torch}, ${torch.device}, TF32 off`]] : []),
  ];
  return `<dl>${list.filter(([, value]) => value).map(([key, value]) => `<dt>${key}</dt><dd>${escape(value)}</dd>`).join('')}</dl>`;
}

function footnote({ load, processors, commit, uncommittedChanges, filesNewerThanBuild }, showCommit) {
  // A browser does not tell the load.
  const notes = [`${load ? `load ${load.start.toFixed(1)} before, ${load.end.toFixed(1)} after, ` : ''}${processors} processors`];
  if (showCommit) notes.push(`commit ${commit?.slice(0, 10)}`);
  if (uncommittedChanges) notes.push('with changes that are not committed');
  if (filesNewerThanBuild > 0) notes.push(`${filesNewerThanBuild} source files newer than the build`);
  return `<p class="note">${escape(notes.join('; '))}</p>`;
}

const STYLE = `
:root { color-scheme: light dark; --paper: #fff; --ink: #1c2126; --soft: #5b6570; --line: #d9dee3; --fill: #f4f6f8;
  --graft: #1a7f4e; --graft-eager: #58a97e; --graft-unchecked: #93c9ab; --tfjs: #d9822b; --jax: #4c6fd1; --ort: #9a5fc0; --torch: #c43d3d; --torch-f16: #e29a9a; --ceiling: #a3262a; }
@media (prefers-color-scheme: dark) { :root { --paper: #14181c; --ink: #e6e9ec; --soft: #9aa5b0; --line: #343c44; --fill: #1d2329;
  --graft: #3fbf7f; --graft-eager: #2f8f60; --graft-unchecked: #236b49; --tfjs: #e89a4c; --jax: #7d9bf0; --ort: #bd8be0; --torch: #ee7272; --torch-f16: #a94f4f; --ceiling: #ff8a8a; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 24px 16px 64px; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0 0 8px; }
h2 { font-size: 1.3rem; margin: 44px 0 8px; }
h3 { font-size: 1.05rem; margin: 28px 0 4px; }
h2.adapter { margin-bottom: 8px; overflow-wrap: anywhere; }
p { margin: 6px 0; max-width: 76ch; }
a { color: inherit; text-decoration-color: var(--soft); text-underline-offset: 2px; }
.lead, .note, dl { color: var(--soft); }
.note { font-size: 0.85rem; }
nav { display: flex; flex-wrap: wrap; gap: 4px 16px; margin: 16px 0; }
.tag { font-size: 0.75rem; font-weight: 400; border: 1px solid var(--line); border-radius: 4px; padding: 1px 6px; vertical-align: middle; }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 14px; font-size: 0.85rem; margin: 8px 0; }
dt { font-weight: 600; } dd { margin: 0; overflow-wrap: anywhere; }
.legend { display: flex; flex-wrap: wrap; gap: 2px 16px; font-size: 0.85rem; margin: 10px 0 2px; }
.swatch { display: inline-block; width: 10px; height: 10px; border-radius: 2px; margin-right: 6px; }
.dash { display: inline-block; width: 16px; border-top: 2px dashed var(--ceiling); margin-right: 6px; vertical-align: middle; }
.chart { margin: 4px 0 12px; } .chart svg { display: block; width: 100%; height: auto; max-width: 960px; }
.narrow { display: none; }
.half svg { max-width: 460px; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 330px), 1fr)); gap: 8px 24px; }
figure { margin: 0; } figcaption { font-size: 0.9rem; font-weight: 600; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; margin: 6px 0; }
th, td { text-align: left; padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top; font-weight: 400; }
thead th { font-weight: 600; white-space: nowrap; } tbody th { min-width: 150px; }
td.n, th.n { white-space: nowrap; }
td.n small, th small { display: block; color: var(--soft); font-size: 0.78rem; font-weight: 400; }
summary { cursor: pointer; font-size: 0.9rem; color: var(--soft); padding: 4px 0; }
@media (max-width: 640px) { .wide { display: none; } .narrow { display: block; } .narrow svg { max-width: 480px; } dl { grid-template-columns: 1fr; gap: 0; } dd { margin-bottom: 4px; } }
@media print { details > :not(summary) { display: block; } }
`;

/** The tables for the terminal: what, how much, how it was measured. */
import { median } from '../lib/numbers.mjs';

const kb = (bytes) => `${(bytes / 1000).toFixed(1)} KB`;
const ms = (value) => `${Math.round(value)} ms`;
const row = (what, value, how = '') => `  ${what.padEnd(44)}${value.padEnd(34)}${how}`;
const sum = (items, pick) => items.reduce((total, item) => total + pick(item), 0);

function spread(values) {
  const known = values.filter((value) => value !== null);
  if (known.length === 0) return '-';
  return known.length === 1 ? ms(known[0]) : `${ms(median(known))} (${ms(Math.min(...known))} .. ${ms(Math.max(...known))})`;
}

const REPORTS = {
  load: (pages) => pages.flatMap(({ page, files, cold, warm }) => {
    const own = files.filter(({ file }) => /\.(?:js|css|html)$/.test(file));
    const longestTask = (visits) => visits.map(({ longTasks }) => Math.max(0, ...longTasks.map(({ duration }) => duration)));
    return [
      `  ${page}`,
      row('  JS, CSS and HTML, the worker\'s too', `${kb(sum(own, ({ bytes }) => bytes))}, gzipped ${kb(sum(own, ({ gzip }) => gzip))}`, 'files that a new profile asked for, gzip -9'),
      row('  requests', String(files.length), files.map(({ file, gzip }) => `${file.split('/').pop()} ${kb(gzip)}`).join(', ')),
      ...[['new profile', cold], ['known profile, new process', warm]].flatMap(([name, visits]) => [
        row(`  ${name}: first paint`, spread(visits.map(({ paint }) => paint)), 'first-contentful-paint'),
        row(`  ${name}: can be used`, spread(visits.map(({ usable }) => usable)), page === 'index.html' ? 'device ready, project open' : 'its button can be pressed'),
        row(`  ${name}: longest task`, spread(longestTask(visits)), 'longtask, wall clock'),
      ]),
    ];
  }),
  thread: ({ adapter, prepared, head, layer4 }) => [
    `  ${nameOf(adapter)}; sample added in ${ms(prepared.add)}, base ready in ${ms(prepared.base)}`,
    ...Object.entries({ head, layer4 }).flatMap(([name, found]) => {
      const part = (which, title) => {
        const { longestWall, longestCpu, over50Wall, over50Cpu, cpuSeconds, seconds } = found[which];
        return [
          row(`  ${title}: longest task`, `${ms(longestWall)} wall, ${ms(longestCpu)} processor`, 'RunTask of the trace (dur, tdur)'),
          row(`  ${title}: tasks over 50 ms`, `${over50Wall} wall, ${over50Cpu} processor`, `longtask counts ${found.longTasks[which].length}`),
          row(`  ${title}: longest gap between frames`, ms(found.frames[which]), 'requestAnimationFrame'),
          row(`  ${title}: processor time of the page`, `${cpuSeconds.toFixed(2)} s of ${seconds.toFixed(1)} s`, `${(100 * cpuSeconds / seconds).toFixed(1)} %`),
          ...found.longest[which].filter(({ cpu }) => cpu > 20).map(({ start, wall, cpu, parts }) => `      task of ${ms(wall)} (${ms(cpu)} processor) at ${ms(start)}: ${parts.map(([what, took]) => `${what} ${took.toFixed(0)}`).join(', ')}`),
        ];
      };
      return [
        `  ${name}${name === 'layer4' ? ', augmented' : ''}`,
        ...part('training', 'training'), ...part('results', 'results drawn'),
        row('  worker: processor time', `${found.worker.cpuSeconds.toFixed(2)} s of ${found.worker.seconds.toFixed(1)} s`, 'without the GPU process, where a software adapter computes'),
        row('  messages of the run', `${found.messages}, curve of ${found.curve} points at most`),
      ];
    }),
  ],
  speed: ({ page, node }) => [
    `  page on ${nameOf(page.adapter)}; Node on ${nameOf(node.adapter)}`,
    ...compared('features', 'images a second', page.head.features, node.head.features, 'ResNet trunk of the shipped base, 64 px, decoding included'),
    ...['head', 'layer4'].flatMap((name) => {
      const perSecond = (run) => (run.images.train + run.images.validation / 3) / run.epochSeconds;
      return compared(`${name}, epochs after the first`, 'images a second', perSecond(page[name]), perSecond(node[name]), 'a judged image counts a third of a trained one');
    }),
    ...['head', 'layer4'].flatMap((name) => compared(`${name}, whole run`, 'seconds', page[name].seconds, node[name].seconds, "the engine's own clock")),
  ],
  snapshots: ({ disk, memory }) => ['head', 'layer4'].flatMap((name) => [
    row(`${name}: with storage`, `${disk[name].wall.toFixed(2)} s`, `from the button to the results; ${writesText(disk[name].writes)}`),
    row(`${name}: storage refused, all in memory`, `${memory[name].wall.toFixed(2)} s`, `${(disk[name].wall - memory[name].wall).toFixed(2)} s less`),
  ]),
  live: ({ idle, training }) => [
    row('with nothing else to do', rate(idle), waits(idle)),
    row('while layer4 is trained', rate(training), waits(training)),
  ],
  beside: pageLines,
  suites: pageLines,
};

function pageLines({ runs }) {
  return [
    ...runs.map(({ name, seconds }) => row(name, `${seconds.toFixed(0)} s`, 'from pressing Run to the last row')),
    ...runs.flatMap(({ problems }) => problems.map((each) => `  PROBLEM ${each}`)), '', ...runs.map(({ markdown }) => markdown),
  ];
}

function compared(what, unit, page, node, how) {
  if (page === null || node === null) return [row(what, 'not measured', how)];
  return [row(`${what}: ${unit}`, `page ${page.toPrecision(3)}, Node ${node.toPrecision(3)}`, `${(page / node).toFixed(2)}; ${how}`)];
}

function writesText(writes) {
  if (writes.length === 0) return 'nothing written';
  return `${writes.length} writes, ${kb(sum(writes, ({ bytes }) => bytes))}, ${(sum(writes, ({ milliseconds }) => milliseconds) / 1000).toFixed(2)} s in them`;
}

const rate = ({ pictures, seconds }) => `${(pictures / seconds).toFixed(1)} pictures a second`;
const waits = ({ times }) => (times.length === 0 ? 'no picture was answered' : `answered in ${spread(times)}, one asked after the other`);
const nameOf = ({ description, architecture, vendor }) => description || `${vendor} ${architecture}`;

export function linesOf(name, result, { busy, commit, uncommittedChanges }) {
  return [
    `${name.toUpperCase()}   commit ${commit?.slice(0, 10) ?? 'unknown'}${uncommittedChanges ? ' and changes' : ''}; processors ${(100 * busy).toFixed(0)} % busy before${busy > 0.1 ? ': these figures say little' : ''}`,
    ...REPORTS[name](result), '',
  ];
}

/** The bench page, run in a browser as a visitor runs it: one network beside the peers, or suites to their end. */
import { openBrowser } from './site.mjs';

/** jax-js apart: on a software adapter it takes minutes to compile. */
const PEERS = [['tfjs', 'ort'], ['jax']];
const RESNET18 = { depth: 18, batch: 1, size: 224, workloads: ['forward'] };

/** ResNet-18 forward at 224 px beside the peers of the page: each from its start, then in turns. */
export const measureBeside = (site, rounds) => runPage(site, PEERS.map((peers) => ({ suites: ['models'], engines: ['graft', ...peers], size: 'quick', own: RESNET18, rounds })));

/** Every suite of the page with the engines it would take by itself, at one size. */
export const measureSuites = (site, size) => runPage(site, ['kernels', 'models', 'start', 'memory', 'tuning', 'curves'].map((suite) => ({ suites: [suite], size })));

/** For each run its seconds, its result as the page would save it and as Markdown, and what the page complains of. Told as they end. */
async function runPage(site, runs) {
  const { browser, close } = await openBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(`${site.origin}/bench.html`);
    await page.waitForSelector('#adapter');
    const found = [];
    for (const options of runs) {
      const began = performance.now();
      const { json, ...rest } = await page.evaluate(async (wanted) => {
        await globalThis.graftBench.run(wanted);
        return { json: globalThis.graftBench.json(), markdown: globalThis.graftBench.markdown(), problems: [...document.querySelectorAll('#results .note.wrong')].map(({ textContent }) => textContent) };
      }, options);
      found.push({ name: [...options.suites, ...(options.engines ?? [])].join(' '), seconds: (performance.now() - began) / 1000, result: JSON.parse(json), ...rest });
      console.error(`${found.at(-1).name}: ${found.at(-1).seconds.toFixed(0)} s`);
    }
    return { runs: found, result: { format: found[0].result.format, sections: Object.assign({}, ...found.map(({ result }) => result.sections)) } };
  } finally {
    await close();
  }
}

/** The bench page, run in a browser as a visitor runs it: one network beside the peers, or suites to their end. */
import { openBrowser } from './site.mjs';

const PEERS = ['tfjs', 'ort', 'jax'];
const RESNET18 = { depth: 18, batch: 1, size: 224, workloads: ['forward'] };

/** ResNet-18 forward at 224 px beside every peer of the page: each from its start, then in turns. */
export const measureBeside = (site, rounds) => runPage(site, { suites: ['models'], engines: ['graft', ...PEERS], size: 'quick', own: RESNET18, rounds });

/** Every suite of the page with the engines it would take by itself, at one size. */
export const measureSuites = (site, size) => runPage(site, { suites: ['kernels', 'models', 'start', 'memory', 'tuning', 'curves'], size });

/** The result as the page would save it and as Markdown, and the seconds that each suite took. */
async function runPage(site, options) {
  const { browser, close } = await openBrowser();
  try {
    const page = await browser.newPage();
    await page.goto(`${site.origin}/bench.html`);
    await page.waitForSelector('#adapter');
    const seconds = {};
    const results = [];
    for (const suite of options.suites) {
      const began = performance.now();
      const run = await page.evaluate(async (wanted) => {
        await globalThis.graftBench.run(wanted);
        return { json: globalThis.graftBench.json(), markdown: globalThis.graftBench.markdown(), problems: [...document.querySelectorAll('#results .note.wrong')].map(({ textContent }) => textContent) };
      }, { ...options, suites: [suite] });
      seconds[suite] = (performance.now() - began) / 1000;
      results.push(run);
    }
    const parsed = results.map(({ json }) => JSON.parse(json));
    return {
      seconds, markdown: results.map(({ markdown }) => markdown).join('\n'), problems: results.flatMap(({ problems }) => problems),
      result: { format: parsed[0].format, sections: Object.assign({}, ...parsed.map(({ sections }) => sections)) },
    };
  } finally {
    await close();
  }
}

/** The first visit of each page: what it fetches, and how long until it can be used. */
import { newProfile, openBrowser, removeProfile } from './site.mjs';

/** By path: the expression that is true once the page can be used. */
export const PAGES = {
  'index.html': "globalThis.graft?.state.device.value.kind === 'ready' && globalThis.graft.state.project.value.id !== ''",
  'bench.html': "[...document.querySelectorAll('button')].some((one) => one.textContent === 'Run' && !one.disabled)",
  'validate.html': "[...document.querySelectorAll('button')].some((one) => one.textContent.startsWith('Run') && !one.disabled)",
};
/** Some rounds of each page; a round is a new profile (cold), then a new process on that profile (warm). */
export async function measureLoads(site, rounds) {
  const found = [];
  for (const [path, usable] of Object.entries(PAGES)) {
    const row = { page: path, cold: [], warm: [], files: [] };
    for (let round = 0; round < rounds; round++) {
      const profile = newProfile();
      try {
        for (const kind of ['cold', 'warm']) {
          const { requests, ...times } = await visit(`${site.origin}/${path}`, profile, usable);
          row[kind].push(times);
          if (kind === 'cold' && round === 0) row.files = weighed(site, requests);
        }
      } finally {
        removeProfile(profile);
      }
    }
    found.push(row);
  }
  return found;
}

function weighed(site, requests) {
  return requests.filter((url) => url.startsWith(site.origin)).map((url) => ({ file: new URL(url).pathname.slice(1) || 'index.html', ...site.weigh(url) }));
}

export async function visit(url, profile, usable) {
  const { browser, close } = await openBrowser(profile);
  try {
    const page = await browser.newPage();
    const requests = new Set();
    page.on('request', (request) => requests.add(request.url()));
    await page.evaluateOnNewDocument(watch, usable);
    await page.goto(url, { waitUntil: 'load' });
    await page.waitForFunction('globalThis.benchUsable !== undefined', { timeout: 60_000 });
    await new Promise((resolve) => { setTimeout(resolve, 700); }); // what is fetched a moment later belongs to it, too
    const times = await page.evaluate(() => ({
      paint: performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? null,
      usable: globalThis.benchUsable,
      longTasks: globalThis.benchLong,
      worker: performance.getEntriesByType('resource').filter(({ initiatorType, name }) => initiatorType === 'other' && name.endsWith('.js')).map(({ startTime }) => startTime),
    }));
    return { ...times, requests: [...requests] };
  } finally {
    await close();
  }
}

/** In the page, before its scripts. */
function watch(usable) {
  if (globalThis !== globalThis.top) return;
  globalThis.benchLong = [];
  new PerformanceObserver((list) => {
    for (const { startTime, duration } of list.getEntries()) globalThis.benchLong.push({ startTime, duration });
  }).observe({ type: 'longtask', buffered: true });
  const test = new Function(`return ${usable}`);
  const look = () => {
    let yes = false;
    try {
      yes = test();
    } catch {
      // Not so far yet.
    }
    if (yes) globalThis.benchUsable = performance.now();
    else setTimeout(look, 4);
  };
  look();
}

/**
 * Pictures of the web app for docs/app/: `node scripts/screenshots.mjs [--only TEXT]`. Builds the app, opens it in the installed browser on
 * its software adapter, does what a visitor does with the sample, and takes each screen light or dark, narrow or wide.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { launch } from 'puppeteer-core';
import sharp from 'sharp';
import { preview } from 'vite';
import { browserFlags, findBrowser } from '../src/node/system.mjs';
import { buildApp } from './build.mjs';
import { ROOT } from './setup.mjs';

const OUT = join(ROOT, 'docs', 'app');
const WIDE = { width: 1440, height: 900 };
const WIDEST = { width: 2560, height: 1440 };
const NARROW = { width: 360, height: 760, deviceScaleFactor: 2 };

const { values } = parseArgs({ options: { only: { type: 'string' } } });
const wanted = (name) => values.only === undefined || name.includes(values.only);
const rest = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

mkdirSync(OUT, { recursive: true });
await buildApp(ROOT);
const server = await preview({ configFile: join(ROOT, 'app', 'vite.config.ts'), preview: { port: 0, host: '127.0.0.1' }, logLevel: 'error' });
const origin = `http://127.0.0.1:${server.httpServer.address().port}`;
const browser = await launch({ executablePath: findBrowser() ?? '', headless: true, protocolTimeout: 600_000, args: ['--no-sandbox', '--hide-scrollbars', ...browserFlags()] });
const page = await browser.newPage();

/** The screen, or the part of it that an element takes, as a PNG of few colours. */
async function shoot(name, { viewport = WIDE, theme = 'light', of, at } = {}) {
  if (!wanted(name)) return;
  await page.setViewport(viewport);
  await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
  if (at) await page.$eval(at, (element) => element.scrollIntoView());
  await rest(1200); // thumbnails and charts follow the new size
  const element = of ? await page.$(of) : page;
  if (of) {
    // All of it at once: what sticks to the window's edge would lie over it.
    const height = await element.evaluate((part) => Math.ceil(part.getBoundingClientRect().height) + 200);
    await page.setViewport({ ...viewport, height: Math.max(height, viewport.height) });
    await rest(600);
  }
  const png = await element.screenshot();
  await sharp(png).png({ palette: true, quality: 90, effort: 10 }).toFile(join(OUT, `${name}.png`));
  console.log(`${name}.png`);
}

const press = async (name, within = 'body') => (await page.waitForSelector(`${within} ::-p-aria([name="${name}"][role="button"])`, { visible: true })).click();
const until = (expression) => page.waitForFunction(expression, { timeout: 300_000, polling: 100 });

await page.setViewport(WIDE);
await page.goto(origin);
await page.waitForSelector('.welcome');
await until('window.graft.state.device.value.kind === "ready"');
await shoot('empty-light');
await shoot('empty-dark-narrow', { viewport: NARROW, theme: 'dark' });
await page.setViewport(WIDE);
await press('Try the sample');
await until('window.graft.state.base.value.kind === "ready" && window.graft.state.adding.value === null');
await page.evaluate('window.graft.studio.renameProject("Ten letters")');
await press('Train', '#train');
await until('window.graft.state.run.value.kind === "running" && window.graft.state.run.value.history.length >= 4');
await shoot('training-dark', { theme: 'dark' });
await until('window.graft.state.run.value.kind === "ended"');
await rest(1500);
await shoot('trained-light');
await shoot('trained-light-narrow', { viewport: NARROW, at: '#train' });
await shoot('network-light', { of: '#network' });
await shoot('network-dark', { of: '#network', theme: 'dark' });
await page.setViewport(WIDE);
await press('Draw the map', '#results');
await page.waitForSelector('#results canvas');
await rest(4000);
await shoot('results-light', { of: '#results' });
await shoot('results-dark-narrow', { of: '#results', viewport: NARROW, theme: 'dark' });
await shoot('widest-dark', { viewport: WIDEST, theme: 'dark', at: 'body' });
await shoot('widest-light', { viewport: WIDEST, at: 'body' });
await page.setViewport(WIDE);
await (await page.waitForSelector('#try .try-samples button')).click();
await page.waitForSelector('#try .try-verdict');
await shoot('try-light', { of: '#try' });
await press('See where it looked', '#try');
await page.waitForSelector('dialog[open] canvas');
await rest(1500);
await shoot('where-it-looked-light', { of: 'dialog[open]' });

await page.goto(`${origin}/bench.html`);
await rest(1500);
await shoot('bench-light');
await shoot('bench-dark-narrow', { viewport: NARROW, theme: 'dark' });
await page.goto(`${origin}/validate.html`);
await rest(1500);
await shoot('validate-light');
await browser.close();
await server.close();

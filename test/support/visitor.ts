/** What a visitor of the studio does and sees: presses, files chosen and dropped, words on the screen. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ElementHandle, Page } from 'puppeteer-core';
import { PATIENCE } from './appPage';
import { axeComplaints } from './axe';

const WIDTHS = [360, 768, 1280, 1920, 2560];

export const sample = (label: string, number: number): Uint8Array => readFileSync(`sample/train/${label}/${String(number).padStart(2, '0')}.png`);

/** A folder of pictures, its classes as folders in it. */
export function pictures(folder: string, classes: readonly string[], each: number): string {
  for (const label of classes) {
    mkdirSync(join(folder, label), { recursive: true });
    for (let i = 1; i <= each; i++) writeFileSync(join(folder, label, `${i}.png`), sample(label, i));
  }
  return folder;
}

export const text = (page: Page, selector = 'body'): Promise<string> => page.$eval(selector, (element) => (element as HTMLElement).innerText);

export function says(page: Page, words: RegExp, selector = 'body'): Promise<unknown> {
  return page.waitForFunction(
    (where, source, flags) => [...document.querySelectorAll<HTMLElement>(where)].some((element) => new RegExp(source, flags).test(element.innerText)),
    { timeout: PATIENCE, polling: 50 }, selector, words.source, words.flags,
  );
}

export const until = (page: Page, condition: string): Promise<unknown> => page.waitForFunction(condition, { timeout: PATIENCE, polling: 50 });

/** Waits until what has the focus is called so. */
export function focused(page: Page, name: RegExp, within = 'body'): Promise<unknown> {
  return page.waitForFunction((source, where) => {
    const element = document.activeElement as HTMLElement | null;
    return element !== null && element !== document.body && element.closest(where) !== null
      && new RegExp(source).test((element.getAttribute('aria-label') ?? element.innerText).trim() || element.tagName);
  }, { timeout: PATIENCE, polling: 50 }, name.source, within);
}

/** Opened, and its device looked for: whether there is one or not. */
export async function ready(page: Page): Promise<Page> {
  await until(page, 'globalThis.graft !== undefined && graft.state.project.value.id !== "" && graft.state.device.value.kind !== "opening"');
  return page;
}

/** The button of this accessible name, once it can be pressed. */
export async function button(page: Page, name: string, within = 'body'): Promise<ElementHandle<HTMLButtonElement>> {
  const deadline = performance.now() + PATIENCE;
  while (performance.now() < deadline) {
    const found = (await page.waitForSelector(`${within} ::-p-aria([name="${name}"][role="button"])`, { visible: true, timeout: PATIENCE })) as ElementHandle<HTMLButtonElement>;
    // Waited for in turns: what waits for a button that was drawn anew meanwhile would wait for ever.
    const usable = await page.waitForFunction((element) => !element.disabled && element.ariaDisabled !== 'true' && element.isConnected, { timeout: 1000, polling: 50 }, found).catch(() => null);
    if (usable !== null) return found;
  }
  throw new Error(`the button “${name}” in ${within} cannot be pressed`);
}

/** Presses it, and once more where the page moved under the pointer. */
export async function press(page: Page, name: string, within?: string): Promise<void> {
  for (let tries = 0; tries < 5; tries++) {
    const found = await button(page, name, within);
    const heard = await found.evaluateHandle((element) => {
      const clicked = { once: false };
      element.addEventListener('click', () => { clicked.once = true; }, { once: true, capture: true });
      return clicked;
    });
    await found.click().catch(() => undefined); // it may be gone by now
    if (await heard.evaluate((clicked) => clicked.once)) return;
  }
  throw new Error(`the button “${name}” is never under the pointer`);
}

/** Gives files to the input behind a button, as its file dialog would. */
export async function choose(page: Page, name: string, paths: string[], within?: string): Promise<void> {
  const [chooser] = await Promise.all([page.waitForFileChooser(), press(page, name, within)]);
  await chooser.accept(paths);
}

export async function closed(page: Page): Promise<void> {
  await until(page, "document.querySelector('dialog[open]') === null");
}

/** The middle and the left edge of an element in the window, once it rests there. */
export async function place(page: Page, selector: string): Promise<{ left: number; x: number; y: number }> {
  return page.$eval(selector, async (element) => {
    element.scrollIntoView({ block: 'center' });
    for (let last = ''; ;) {
      const { left, top, width, height } = element.getBoundingClientRect();
      const now = [left, top, width, height].join();
      if (now === last) return { left, x: left + width / 2, y: top + height / 2 };
      last = now;
      await new Promise((resolve) => { setTimeout(resolve, 100); });
    }
  });
}

/**
 * Pauses the next run, or the one that goes on, as soon as this is so of it. Asked for before the run is begun and done in
 * the page, which hears of every step, it does not come too late.
 */
export function pauseWhen(page: Page, condition: string): Promise<unknown> {
  return page.evaluate(`new Promise((resolve, reject) => {
    let seen = false;
    const leave = graft.state.run.subscribe((run) => {
      seen ||= run.kind === 'running';
      if (!seen || (run.kind === 'running' && !(${condition}))) return;
      queueMicrotask(() => leave());
      if (run.kind === 'running') graft.studio.pause().then(resolve, reject);
      else reject(new Error('the run was ' + run.kind + ' before it could be paused'));
    });
  })`);
}

/** Lets go of files from the disk over a point, as a file manager would. */
export async function drop(page: Page, files: string[], at: { x: number; y: number }): Promise<void> {
  const client = await page.createCDPSession();
  for (const type of ['dragEnter', 'dragOver', 'drop'] as const) await client.send('Input.dispatchDragEvent', { type, ...at, data: { items: [], files, dragOperationsMask: 1 } });
  await client.detach();
}

export const counts = (page: Page): Promise<Record<string, number>> => page.evaluate(() => Object.fromEntries(graft.state.classes.value.map(({ name, images }) => [name, images.length])));

/** What is wrong with the page as it is, in both colours and in all widths. */
export async function lookedOver(page: Page, { dialog = false } = {}): Promise<string[]> {
  const found: string[] = [];
  for (const width of WIDTHS) {
    await page.setViewport({ width, height: 900 });
    const over = await page.evaluate(() => {
      const { scrollWidth, clientWidth } = document.documentElement;
      const body = document.querySelector('dialog[open] .dialog-body');
      return [scrollWidth - clientWidth, body ? body.scrollWidth - body.clientWidth : 0];
    });
    if (over.some((pixels) => pixels > 0)) found.push(`at ${width}: ${over.join(' and ')} pixels too wide`);
    if (width !== 360 && width !== 1280) continue;
    for (const value of dialog && width === 1280 ? ['light'] : ['light', 'dark']) {
      await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value }, { name: 'prefers-reduced-motion', value: 'reduce' }]);
      // Of all that axe looks at, only contrast depends on the colours.
      found.push(...(await axeComplaints(page, value === 'light' ? undefined : ['color-contrast'])).map((complaint) => `${width}, ${value}: ${complaint}`));
    }
  }
  await page.setViewport({ width: 1280, height: 900 });
  await page.emulateMediaFeatures([]);
  return found;
}

/** What a visitor of the studio does and sees: presses, files chosen and dropped, words on the screen. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ElementHandle, Page } from 'puppeteer-core';
import type { StudioState } from '../../app/shared/protocol';
import { axeComplaints } from './axe';

/** The page's handle for tests. */
declare const graft: { readonly state: { readonly [K in keyof StudioState]: { readonly value: StudioState[K] } } };

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
    { timeout: 30_000, polling: 50 }, selector, words.source, words.flags,
  );
}

export const until = (page: Page, condition: string): Promise<unknown> => page.waitForFunction(condition, { timeout: 60_000, polling: 50 });

export async function ready(page: Page): Promise<Page> {
  await until(page, 'globalThis.graft !== undefined && graft.state.project.value.id !== "" && graft.state.device.value.kind !== "opening"');
  return page;
}

export async function button(page: Page, name: string, within = 'body'): Promise<ElementHandle<HTMLButtonElement>> {
  const found = await page.waitForSelector(`${within} ::-p-aria([name="${name}"][role="button"])`, { visible: true, timeout: 20_000 });
  await page.waitForFunction((element) => !(element as HTMLButtonElement).disabled, { timeout: 30_000 }, found as ElementHandle);
  return found as ElementHandle<HTMLButtonElement>;
}

export async function press(page: Page, name: string, within?: string): Promise<void> {
  await (await button(page, name, within)).click();
}

export async function choose(page: Page, name: string, paths: string[], within?: string): Promise<void> {
  const found = await button(page, name, within);
  const [chooser] = await Promise.all([page.waitForFileChooser(), found.click()]);
  await chooser.accept(paths);
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
      found.push(...(await axeComplaints(page)).map((complaint) => `${width}, ${value}: ${complaint}`));
    }
  }
  await page.setViewport({ width: 1280, height: 900 });
  await page.emulateMediaFeatures([]);
  return found;
}

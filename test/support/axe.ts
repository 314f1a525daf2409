/** What axe-core finds wrong with a page as it is now, for people who use a keyboard or a screen reader. */
import { readFileSync } from 'node:fs';
import type { Page } from 'puppeteer-core';

const source = readFileSync('node_modules/axe-core/axe.min.js', 'utf8');

/** `rules`: only these, where the page was looked at by all of them before. */
export async function axeComplaints(page: Page, rules?: readonly string[]): Promise<string[]> {
  if (!(await page.evaluate('"axe" in globalThis'))) await page.evaluate(source);
  const only = rules ? { runOnly: { type: 'rule', values: rules } } : {};
  return (await page.evaluate(`axe.run(${JSON.stringify({ resultTypes: ['violations'], ...only })})
    .then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => id + ': ' + target.join(' '))))`)) as string[];
}

/** What axe-core finds wrong with a page as it is now, for people who use a keyboard or a screen reader. */
import { readFileSync } from 'node:fs';
import type { Page } from 'puppeteer-core';

export async function axeComplaints(page: Page): Promise<string[]> {
  return (await page.evaluate(`${readFileSync('node_modules/axe-core/axe.min.js', 'utf8')};
    axe.run().then(({ violations }) => violations.flatMap(({ id, nodes }) => nodes.map(({ target }) => id + ': ' + target.join(' '))))`)) as string[];
}

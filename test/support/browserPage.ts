/** A blank page of the installed browser, on the origin that serves the repository. */
import { launch, type Page } from 'puppeteer-core';
import { findBrowser } from '../../src/node/system.mjs';
import { serveRepository } from './server';

/** The installed browser, or null: tests that need one are skipped then. */
export const browserPath = findBrowser();

export async function openBlankPage(): Promise<{ page: Page; close(): Promise<void> }> {
  const { server, origin } = await serveRepository();
  const browser = await launch({ executablePath: browserPath ?? '', headless: true, args: ['--no-sandbox'] });
  const page = await browser.newPage();
  await page.setRequestInterception(true);
  page.on('request', (request) => {
    if (request.url().endsWith('/blank')) void request.respond({ contentType: 'text/html', body: '<!doctype html>' });
    else void request.continue();
  });
  await page.goto(`${origin}/blank`);
  return {
    page,
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

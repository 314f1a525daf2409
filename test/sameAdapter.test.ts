/** Chromium's numbers equal Node's on the same adapter: Node's Dawn runs on the SwiftShader that lies beside Chromium. */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from 'puppeteer-core';
import { expect, it } from 'vitest';
import { openGpu } from '../src/gpu/device';
import { findSwiftshader } from '../src/node/system.mjs';
import { FIXTURES, compute, type Bits } from './browser/same';
import { WEBGPU_FLAGS, browserPath } from './support/appPage';
import { serveRepository } from './support/server';

const icd = browserPath === null ? null : findSwiftshader(browserPath);
if (icd === null) console.warn('sameAdapter.test.ts is skipped: no Chromium with SwiftShader beside it was found');
else process.env.VK_DRIVER_FILES = icd; // before the first device of this process; each test file has its own

const all = readdirSync('test/fixtures/ops').filter((name) => name.endsWith('.safetensors')).sort();
const names = [...new Set(FIXTURES.map((pattern) => all.find((name) => pattern.test(name))))].filter((name) => name !== undefined);

async function inBrowser(): Promise<{ adapter: string; bits: Bits }> {
  const { server, origin } = await serveRepository();
  const browser = await launch({ executablePath: browserPath ?? '', headless: true, protocolTimeout: 300_000, args: ['--no-sandbox', ...WEBGPU_FLAGS] });
  try {
    const page = await browser.newPage();
    await page.goto(`${origin}/test/browser/same.html`);
    await page.waitForFunction('window.graftSame !== undefined');
    return (await page.evaluate(`window.graftSame(${JSON.stringify(names)})`)) as { adapter: string; bits: Bits };
  } finally {
    await browser.close();
    await server.close();
  }
}

it.skipIf(icd === null)('a dozen operations, a network and training steps: the same numbers in Chromium and in Node', async () => {
  const gpu = await openGpu();
  const here = compute(gpu, names, (name) => Promise.resolve(new Uint8Array(readFileSync(join('test/fixtures/ops', name)))));
  const [page, bits] = await Promise.all([inBrowser(), here]);
  gpu.destroy();
  expect([gpu.adapter.architecture, page.adapter]).toEqual(['swiftshader', 'swiftshader']);
  expect(names.length).toBeGreaterThanOrEqual(12);
  expect(Object.keys(page.bits)).toEqual(Object.keys(bits));
  const differ: string[] = [];
  for (const [what, expected] of Object.entries(bits)) {
    const found = page.bits[what];
    expect(found.length, what).toBe(expected.length);
    expect(expected.length, what).toBeGreaterThan(0);
    if (expected.every((word, i) => word === found[i])) continue;
    const [want, got] = [expected, found].map((words) => new Float32Array(Uint32Array.from(words).buffer));
    const largest = want.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6);
    const error = want.reduce((most, value, i) => Math.max(most, Object.is(value, got[i]) ? 0 : Math.abs(value - got[i])), 0) / largest;
    differ.push(`${what}: ${error.toExponential(1)}`);
    expect(error, what).toBeLessThanOrEqual(1e-4); // the fixtures' own bound, and NaN fails
  }
  console.info(`Chromium and Node on ${page.adapter}: ${Object.keys(bits).length - differ.length} of ${Object.keys(bits).length} results are the same bits${differ.length > 0 ? `; by what others differ: ${differ.join(', ')}` : ''}`);
});

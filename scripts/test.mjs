/**
 * `npm test`: sets up with a browser, checks the types, builds, and runs the tests; arguments go to Vitest. Ends with a
 * line of its own, `N passed, N failed` (and `, N skipped`), and with exit status 0 only if something passed and
 * nothing failed. A type error, a failed build and a test file that does not load count as a failure each.
 */
import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { build, buildApp } from './build.mjs';
import { reportSetupError, ROOT, setup } from './setup.mjs';
import { summarise } from './setup/summary.mjs';

/** Runs a package's program with our terminal. Ctrl-C reaches it from the terminal, and we wait for its end. */
function tool(path, args, env = {}) {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [join(ROOT, 'node_modules', path), ...args], {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, ...env },
    });
    const wait = () => undefined;
    const pass = () => child.kill('SIGTERM');
    process.on('SIGINT', wait);
    process.on('SIGTERM', pass);
    child.on('error', () => resolve(127));
    child.on('close', (code) => {
      process.off('SIGINT', wait);
      process.off('SIGTERM', pass);
      resolve(code ?? 1);
    });
  });
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
}

async function test(args) {
  const { env, browser } = await setup({ browser: true });
  let failed = 0;
  console.log('Checking types.');
  const checks = await Promise.all(['.', 'app'].map((project) => tool('typescript/bin/tsc', ['--noEmit', '-p', project])));
  failed += checks.filter((status) => status !== 0).length;
  try {
    // Sources with a type error give no declarations; that failure is counted already.
    await build(ROOT, { types: failed === 0 });
    await buildApp(ROOT);
  } catch (error) {
    reportSetupError(error);
    failed++;
  }

  const folder = mkdtempSync(join(tmpdir(), 'graft-test-'));
  const file = join(folder, 'report.json');
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${file}`];
  const found = browser === null ? {} : { CHROME_PATH: browser };
  const status = await tool('vitest/vitest.mjs', ['run', ...reporters, ...args], { ...env, ...found });
  const { line, ok } = summarise(readReport(file), { status, failedBefore: failed });
  rmSync(folder, { recursive: true, force: true });
  if (browser === null) console.log('The browser tests were skipped: there is no browser here.');
  console.log(line);
  process.exitCode = ok ? 0 : 1;
}

await test(process.argv.slice(2)).catch(reportSetupError);

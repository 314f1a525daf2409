/** The bench, run once at tiny shapes on Graft alone, so that it does not rot. No time is judged here. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

function node(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    execFile(process.execPath, args, { encoding: 'utf8' }, (error, out, err) => resolve({ status: error ? Number(error.code) : 0, out, err }));
  });
}

interface KernelRow {
  readonly id: string;
  readonly ms: Record<string, number[]>;
  readonly deviation: Record<string, number>;
  readonly failed: Record<string, string>;
}

describe('the bench', () => {
  let dir = '';
  let json = '';
  let run: Outcome;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'graft-bench-test-'));
    json = join(dir, 'result.json');
    run = await node('bench/bench.mjs', 'kernels', 'models', 'tuning', 'memory', '--tiny', '--from', 'src', '--sample', '1', '--engines', 'graft,graft-eager', '--json', json);
  });
  afterAll(() => rmSync(dir, { recursive: true, force: true }));

  const section = (name: string): Record<string, unknown> => (JSON.parse(readFileSync(json, 'utf8')) as { sections: Record<string, Record<string, unknown>> }).sections[name];

  it('ends well and prints a table', () => {
    expect(run.err).not.toMatch(/Error/);
    expect(run.status).toBe(0);
    for (const heading of ['KERNELS', 'MODELS', 'HEAD TUNING', 'MEMORY']) expect(run.out).toContain(heading);
  });

  it('times every kernel case after comparing it with the reference', () => {
    const rows = section('kernels').rows as KernelRow[];
    expect(rows.length).toBeGreaterThanOrEqual(12);
    for (const { id, ms, deviation, failed } of rows) {
      expect(failed, id).toEqual({});
      expect(ms.graft, id).toHaveLength(1);
      expect(deviation.graft, id).toBeLessThan(1e-4);
    }
    const { fma, copy } = section('kernels').ceilings as { fma: number[]; copy: number[] };
    expect(Math.min(...fma, ...copy)).toBeGreaterThan(0);
  });

  it('finds the eager and the replayed step of one mind', () => {
    const [{ rows, checks }] = section('models').models as { rows: Record<string, { ms: Record<string, number[]> }>; checks: { error: number }[] }[];
    expect(Object.keys(rows)).toEqual(['forward', 'head', 'cached', 'full']);
    for (const { ms } of Object.values(rows)) expect(Object.keys(ms).sort()).toEqual(['graft', 'graft-eager']);
    expect(Math.max(...checks.map(({ error }) => error))).toBeLessThan(1e-6);
  });

  it.skipIf(!existsSync('bench/page/node_modules'))('draws a page that needs nothing else', async () => {
    const page = join(dir, 'index.html');
    expect(await node('bench/makePage.mjs', json, '--out', page)).toMatchObject({ status: 0 });
    const html = readFileSync(page, 'utf8');
    expect(html).toContain('<svg');
    expect(html).not.toMatch(/<script|<link|src=|NaN|undefined/);
  });

  it.each([[['--no-such-option']], [['no-such-suite']], [['--engines', 'grfat']], [['--rounds', '0']], [['--depth', '19', '--from', 'src']]])('ends with 2 for %j', async (args) => {
    const { status, err } = await node('bench/bench.mjs', ...args);
    expect(status).toBe(2);
    expect(err.trim()).not.toBe('');
  });

  it('tells a result file that is none', async () => {
    const { status, err } = await node('bench/makePage.mjs', 'package.json');
    expect(status).toBe(2);
    expect(err).toContain('graft-bench-1');
  });
});

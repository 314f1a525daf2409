/** The screen of a training run on terminals of several widths, and the folder two runs want. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { outFolder } from '../src/cli/outFolder';
import { Terminal } from '../src/cli/terminal';
import { TrainingScreen } from '../src/cli/trainingScreen';

afterEach(() => vi.restoreAllMocks());

/** What three epochs show on a terminal of this width. */
function shown(columns: number | undefined): string[] {
  let text = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((chunk) => {
    text += String(chunk);
    return true;
  });
  const before = process.stdout.columns;
  Object.assign(process.stdout, { columns });
  try {
    const screen = new TrainingScreen(new Terminal(), 100);
    [0.5, 123.4567, 4.1e9].forEach((loss, i) => {
      const record = { epoch: 98 + i, lr: 0.1, trainLoss: loss, validationLoss: loss, validationAccuracy: 0.583, seconds: 0.9 };
      screen.show({ kind: 'epoch', record, best: true });
    });
  } finally {
    Object.assign(process.stdout, { columns: before });
    vi.restoreAllMocks();
  }
  return text.replace(/\u001b\[\d+m/g, '').trimEnd().split('\n');
}

describe('training screen', () => {
  it.each([40, 80, undefined])('keeps its columns at a width of %s', (columns) => {
    const lines = shown(columns);
    expect(lines).toHaveLength(4);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(columns ?? 80);
    const ends = lines.slice(1).map((line) => line.indexOf('%'));
    expect(new Set(ends).size).toBe(1);
    expect(lines[3]).toContain('4.10e+9');
    expect(lines[0].includes('time')).toBe(columns !== 40);
  });
});

describe('output folder', () => {
  const ask = { out: undefined, name: 'x', force: false, resume: false };

  it('belongs to one run at a time, also when another would resume or replace', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'graft-out-'));
    const lock = join(dir, '.graft-run.tmp');
    const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)']);
    try {
      writeFileSync(lock, String(other.pid));
      for (const more of [{}, { resume: true }, { force: true }]) {
        await expect(outFolder({ ...ask, out: dir, ...more })).rejects.toThrow(`is being written to by another run (process ${other.pid}); wait until it ends, or name another --out`);
      }
      const gone = new Promise((resolve) => other.once('close', resolve));
      other.kill('SIGKILL');
      await gone;
      expect(await outFolder({ ...ask, out: dir })).toBe(dir);
      expect(readFileSync(lock, 'utf8')).toBe(String(process.pid));
    } finally {
      other.kill('SIGKILL');
      rmSync(dir, { recursive: true });
    }
  });

  it('that takes nothing is told before any work', async () => {
    const dir = mkdtempSync(join(tmpdir(), 'graft-out-'));
    mkdirSync(join(dir, 'out', '.graft-run.tmp'), { recursive: true });
    try {
      await expect(outFolder({ ...ask, out: join(dir, 'out') })).rejects.toThrow(/^cannot write to .*out: /);
      expect(existsSync(join(dir, 'out', '.graft-run.tmp'))).toBe(true);
    } finally {
      rmSync(dir, { recursive: true });
    }
  });
});

/** `graft tune` from outside: what it says, keeps and forgets, and its exit status. */
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openGpu } from '../src/gpu/device';
import { saveModel } from '../src/node/modelDir';
import { randomClassifier } from '../src/transfer/classifier';
import type { TuneReport } from '../src/tune/report';
import { Cli } from './support/cli';

const NO_ADAPTER = { VK_DRIVER_FILES: '/nonexistent', VK_ICD_FILENAMES: '/nonexistent' };

let cli: Cli;
const tuning = (): string => join(cli.folder, 'cache', 'tuning');
const kept = (): Record<string, { candidate: string }> => {
  const [name] = readdirSync(tuning());
  return (JSON.parse(readFileSync(join(tuning(), name), 'utf8')) as { entries: Record<string, { candidate: string }> }).entries;
};

beforeAll(async () => {
  cli = await Cli.build();
  const gpu = await openGpu();
  await saveModel(randomClassifier(gpu, 'resnet18', ['x', 'y'], { width: 4, preprocessing: { resizeSize: 32, cropSize: 32, interpolation: 'bilinear', mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25] } }), join(cli.folder, 'tiny'));
  gpu.destroy();
});
afterAll(() => cli.remove());

describe('graft tune', () => {
  it.each([
    [['tune'], "name the model to tune for, such as resnet18"],
    [['tune', 'resnet81'], "no model is called 'resnet81'"],
    [['tune', 'resnet18', '--plan', 'heat'], "no plan or layer is called 'heat'. Did you mean 'head'?"],
    [['tune', 'resnet18', '--batch-size', '1,x'], "--batch-size takes a whole number of at least 1, got 'x'"],
    [['tune', 'resnet18', '--size', '0'], "--size takes a whole number of at least 1, got '0'"],
    [['tune', 'resnet18', '--budget', '-3'], "--budget takes a number above 0, got '-3'"],
  ])('%j is wrong usage: status 2', async (args, message) => {
    const finished = await cli.run(args, { env: NO_ADAPTER });
    expect(finished.stderr).toContain(message);
    expect(finished.stderr).toMatch(/^graft: [^\n]+\n$/);
    expect(finished).toMatchObject({ status: 2, stdout: '' });
  });

  it('lists what there is to tune without tuning it', async () => {
    const [list, nothing] = [await cli.run(['tune', 'tiny', '--list']), await cli.run(['tune', '--list'])];
    expect(list).toMatchObject({ status: 0, stderr: '' });
    expect(list.stdout).toMatch(/conv {4}3x3 4>4 {2}1x8x8 .* algorithms .*\(not tuned\)/);
    expect(nothing).toMatchObject({ status: 0, stderr: '' });
    expect(nothing.stdout).toMatch(/^ {2}Nothing is tuned for .*graft tune resnet18/);
    expect(existsSync(tuning())).toBe(false);
  });

  it('keeps what it found so far when it is interrupted, goes on, uses it, and forgets it', async () => {
    const args = ['tune', 'tiny', '--batch-size', '1'];
    let sent = false;
    const stopped = await cli.run(args, {
      onOutput: (stdout, child) => {
        if (!sent && stdout.includes('algorithm\n') && stdout.trimEnd().split('\n').length > 6) sent = child.kill('SIGINT');
      },
    });
    expect(stopped).toMatchObject({ status: 130, stderr: '' });
    expect(stopped.stdout).toContain('Stopping. What was tuned so far is kept');
    const first = Object.keys(kept()).length;
    expect(first).toBeGreaterThan(0);

    const rest = await cli.run([...args, '--json']);
    expect(rest).toMatchObject({ status: 0, stderr: '' });
    const report = JSON.parse(rest.stdout) as TuneReport & { steps: { name: string; before: number; after: number }[] };
    expect(report).toMatchObject({ ended: 'finished', untuned: [] });
    expect(Object.keys(kept())).toHaveLength(first + report.results.length);
    expect(report.steps.map(({ name }) => name)).toEqual(['forward', 'step']);

    const [again, list] = [await cli.run(args), await cli.run(['tune', '--list'])];
    expect(again.stdout).toContain('All is tuned already.');
    expect(list.stdout.trimEnd().split('\n')).toHaveLength(Object.keys(kept()).length);

    // What is damaged or stale costs a line and nothing else.
    const [name] = readdirSync(tuning());
    const path = join(tuning(), name);
    writeFileSync(path, readFileSync(path, 'utf8').slice(0, 99));
    const damaged = await cli.run(['tune', 'tiny', '--list']);
    expect(damaged.status).toBe(0);
    expect(damaged.stderr).toBe("graft: the tuning kept for this adapter is damaged; it is ignored ('graft tune' makes a new one)\n");

    expect(await cli.run(['tune', '--reset'])).toMatchObject({ status: 0, stdout: '' });
    expect(readdirSync(tuning())).toEqual([]);
  });

  it('ends at the budget, and tunes even where nothing can be kept', async () => {
    const cache = join(cli.folder, 'nowhere');
    writeFileSync(cache, '');
    const finished = await cli.run(['tune', 'tiny', '--batch-size', '1', '--budget', '0.01'], { env: { GRAFT_CACHE: cache } });
    expect(finished.status).toBe(0);
    expect(finished.stdout).toMatch(/The budget is spent; \d+ classes left/);
    expect(finished.stdout).not.toContain('kept for every run');
    expect(finished.stderr).toMatch(/^(graft: [^\n]+\n){1,2}$/);
  });
});

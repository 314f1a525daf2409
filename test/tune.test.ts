/** The tuner: what it lets win, what it leaves out, what it keeps, and that nothing kept can do harm. */
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openGpu } from '../src/gpu/device';
import { Gpu } from '../src/gpu/gpu';
import { Kernel } from '../src/gpu/kernel';
import { shippedChoices } from '../src/gpu/shipped';
import { conv2dFamily, type ConvShape } from '../src/kernels/conv2d/conv2d';
import type { Candidate, Family } from '../src/kernels/products/family';
import { launch } from '../src/kernels/products/family';
import { matmul, matmulFamily, type MatmulOperands, type MatmulShape } from '../src/kernels/matmul/matmul';
import { shadersHash } from '../src/kernels/sources';
import { diskTuningStore } from '../src/node/tuneStore';
import { Tensor } from '../src/tensor';
import { randomClassifier } from '../src/transfer/classifier';
import { modelWork, problemsOf } from '../src/transfer/modelWork';
import { observeProblems, problemOf } from '../src/tune/problems';
import { adapterKey, applyTuning, choicesHash, entriesOf, forgetTuning, keepResults, loadEntries, parseTable, serializeTable } from '../src/tune/table';
import type { TuneEvent, TuneResult } from '../src/tune/report';
import { tune } from '../src/tune/tuner';

let gpu: Gpu;
beforeAll(async () => {
  gpu = await openGpu();
});
afterAll(() => gpu.destroy());
beforeEach(() => gpu.choices.clear());

const SHAPE: MatmulShape = { batch: 1, m: 65, n: 64, k: 48, transposeA: false, transposeB: false };
type Way = Candidate<MatmulOperands>;

const right = (shape: MatmulShape): Way => matmulFamily.candidates(gpu, shape)[0];
const times = (id: string, count: number): ((shape: MatmulShape) => Way) => (shape) => ({
  id,
  run: (operands) => {
    for (let i = 0; i < count; i++) right(shape).run(operands);
  },
});
const spoil = new Kernel('spoil', ['@group(0) @binding(0) var<storage, read_write> out: array<f32>; @compute @workgroup_size(1) fn spoil() { out[77] = out[77] * 1.001; }'], 'spoil');
const broken = new Kernel('broken', ['@group(0) @binding(0) var<storage, read_write> out: array<f32>; @compute @workgroup_size(1) fn broken() { out[0] = nonsense(); }'], 'broken');
const after = (id: string, kernel: Kernel): ((shape: MatmulShape) => Way) => (shape) => ({
  id,
  run: (operands) => {
    right(shape).run(operands);
    gpu.dispatch(kernel, { out: operands.out.storage }, {}, [1]);
  },
});

/** Matrix products with algorithms of the test's own. */
function familyOf(ways: readonly ((shape: MatmulShape) => Way)[], name = 'matmul'): Family<MatmulShape, MatmulOperands> {
  return { ...matmulFamily, name, candidates: (_, shape) => ways.map((way) => way(shape)) };
}

describe('tune', () => {
  it('lets the fastest win that computes the right numbers, and says what is wrong with the others', async () => {
    const family = familyOf([
      times('slow', 40),
      after('one element off', spoil),
      after('does not compile', broken),
      () => ({ id: 'writes nothing', run: () => undefined }),
      () => ({ id: 'throws', run: () => { throw new Error('no such thing'); } }),
      times('fast', 1),
    ]);
    const events: TuneEvent[] = [];
    const { results, untuned, ended } = await tune(gpu, [problemOf(family, SHAPE)], { onProgress: (event) => events.push(event) });
    expect({ untuned, ended }).toEqual({ untuned: [], ended: 'finished' });
    const [result] = results;
    expect(result).toMatchObject({ candidate: 'fast', defaultCandidate: 'slow', family: 'matmul', key: `matmul ${matmulFamily.classOf(SHAPE)}` });
    expect(result.defaultMs).toBeGreaterThan(2 * result.ms);
    expect(result.gflops).toBeCloseTo(matmulFamily.operations(SHAPE) / result.ms / 1e6);
    expect(result.timings.map(({ id }) => id)).toEqual(['fast', 'slow']);
    const reasons = Object.fromEntries(result.excluded.map(({ id, reason }) => [id, reason]));
    expect(Object.keys(reasons).sort()).toEqual(['does not compile', 'one element off', 'throws', 'writes nothing']);
    expect(reasons['one element off']).toMatch(/^wrong numbers: element 77 is [-\d.e]+, not [-\d.e]+$/);
    expect(reasons['writes nothing']).toMatch(/^wrong numbers: element 0 is NaN/);
    expect(reasons['does not compile']).toContain('nonsense');
    expect(reasons.throws).toBe('no such thing');
    expect(events.map(({ kind }) => kind).filter((kind) => kind !== 'candidate')).toEqual(['problem', 'result']);
    expect(gpu.choices.table.get(result.key)).toBe('fast');
  });

  it('finds out the default when it is the default that is wrong, also in one element that no sample hit', async () => {
    const family = familyOf([after('off', spoil), times('right', 1)]);
    const { results: [result] } = await tune(gpu, [problemOf(family, SHAPE)]);
    expect(result).toMatchObject({ candidate: 'right', defaultCandidate: 'off', defaultMs: null });
    expect(result.excluded.map(({ id }) => id)).toEqual(['off']);
  });

  it('keeps the default unless another is clearly faster', async () => {
    const { results: [result] } = await tune(gpu, [problemOf(familyOf([times('usual', 20), times('the same', 20)]), { ...SHAPE, m: 129 })]);
    if (result.candidate === 'the same') expect(result.ms).toBeLessThan(0.97 * (result.defaultMs ?? 0)); // a noisy machine
    else expect(result.candidate).toBe('usual');
  });

  it('leaves out what cannot be computed or checked, and goes on', async () => {
    const none = problemOf(familyOf([() => ({ id: 'nothing', run: () => undefined })]), SHAPE);
    const unknown = problemOf(familyOf([times('x', 1)], 'unheard of'), SHAPE);
    const huge = problemOf(matmulFamily, { ...SHAPE, m: 2 ** 16, k: 2 ** 16 });
    const tooLarge = { ...huge, family: { ...huge.family, operands: () => { throw new Error('no memory'); } } };
    const good = problemOf(familyOf([times('x', 1)]), { ...SHAPE, m: 200 });
    const { results, untuned } = await tune(gpu, [none, unknown, tooLarge, good]);
    expect(results.map(({ key }) => key)).toEqual([good.key]);
    expect(untuned.map(({ reason }) => reason)).toEqual([
      expect.stringMatching(/^none of 1 algorithms computes it rightly: wrong numbers/), 'nothing says what it should compute', 'no memory',
    ]);
    expect(gpu.choices.table.size).toBe(1);
  });

  it('tries one of each kind first where there is no time for all', async () => {
    const ways = ['b 1', 'b 2', 'b 3', 'b 4', 'b 5', 'b 6', 'b 7', 'c 1', 'c 2', 'd'].map((id) => times(id, 1));
    const problem = problemOf(familyOf(ways), SHAPE);
    const { results: [result] } = await tune(gpu, [problem], { classMs: 0, defaults: new Map([[problem.key, 'b 7']]) });
    expect(result.timings.map(({ id }) => id).sort()).toEqual(['b 1', 'b 2', 'b 7', 'c 1', 'c 2', 'd']);
    expect(result).toMatchObject({ defaultCandidate: 'b 7', untried: 4 });
  });

  it('tunes the problems an algorithm is made of first, once', async () => {
    const conv: ConvShape = { x: [1, 6, 6, 16], weight: [1, 1, 16, 24], options: { stride: [1, 1], padding: [0, 0], dilation: [1, 1], groups: 1 } };
    const part = problemOf(matmulFamily, { batch: 1, m: 36, n: 24, k: 16, transposeA: false, transposeB: false });
    const family: typeof conv2dFamily = { ...conv2dFamily, candidates: (_, shape) => conv2dFamily.candidates(gpu, shape).filter(({ id }) => id === 'matmul') };
    const totals: number[] = [];
    const { results } = await tune(gpu, [problemOf(family, conv)], { onProgress: ({ total }) => totals.push(total) });
    expect(results.map(({ key }) => key)).toEqual([part.key, problemOf(family, conv).key]);
    expect(new Set(totals)).toEqual(new Set([1, 2]));
    const again = await tune(gpu, [problemOf(family, conv)], { known: [part.key] });
    expect(again.results.map(({ key }) => key)).toEqual([problemOf(family, conv).key]);
  });

  it('ends when it is told to, with what it has', async () => {
    const problems = [64, 128, 256].map((m) => problemOf(familyOf([times('x', 1), times('y', 2)]), { ...SHAPE, m }));
    const budget = await tune(gpu, problems, { budgetMs: 0.001 });
    expect(budget).toMatchObject({ ended: 'budget' });
    expect(budget.results.length).toBeLessThan(2);
    const controller = new AbortController();
    const stopped = await tune(gpu, problems, {
      signal: controller.signal,
      onProgress: ({ kind, done }) => {
        if (kind === 'candidate' && done === 1) controller.abort();
      },
    });
    expect(stopped.ended).toBe('interrupted');
    expect(stopped.results).toHaveLength(1);
    expect(gpu.memory().liveBytes).toBe(0);
  });

  it('ends with the error when the device is lost', async () => {
    const lost = await openGpu();
    const family: typeof matmulFamily = { ...matmulFamily, candidates: (g, shape) => [{ id: 'breaks it', run: () => lost.device.destroy() }, ...matmulFamily.candidates(g, shape)] };
    await expect(tune(lost, [problemOf(family, SHAPE), problemOf(matmulFamily, SHAPE)])).rejects.toThrow(/device was lost/);
  });

  it('sees every problem of a model, in a dry run', async () => {
    const model = randomClassifier(gpu, 'resnet18', ['a', 'b'], { width: 4 });
    const { works, dispose } = modelWork(model, { plan: 'full', batchSize: 2, size: 32 });
    const problems = await problemsOf(model, works);
    const families = new Set(problems.map(({ family }) => family.name));
    expect(families).toEqual(new Set(['conv2d', 'conv2d_backward_input', 'conv2d_backward_weight', 'matmul']));
    expect(new Set(problems.map(({ key }) => key)).size).toBe(problems.length);
    const convs = problems.filter(({ family }) => family.name === 'conv2d').reduce((sum, { count }) => sum + count, 0);
    expect(convs).toBe(40); // twenty convolutions, in the forward pass and in the step
    const work = problems.map(({ family, shape, count }) => count * family.operations(shape));
    expect(work).toEqual([...work].sort((a, b) => b - a));
    dispose();
    const head = modelWork(model, { plan: 'head', batchSize: 2, size: 32 });
    const step = observeProblems(gpu, () => void gpu.precompile(() => head.works[1].run()));
    expect(new Set(step.map(({ family }) => family.name))).toEqual(new Set(['matmul']));
    head.dispose();
    model.dispose();
  });
});

const RESULT: TuneResult = {
  key: 'matmul NN b1 m64 n64 k48', family: 'matmul', shape: SHAPE, candidate: 'fast', ms: 1.23456789, defaultCandidate: 'slow', defaultMs: 2, gflops: 12.345678, timings: [], excluded: [], untried: 0,
};

describe('the table', () => {
  const entries = entriesOf([RESULT]);
  const text = (): string => serializeTable(gpu.adapter, entries);
  const changed = (change: object): string => JSON.stringify({ ...(JSON.parse(text()) as object), ...change });

  it('comes back as it was', () => {
    expect(parseTable(text(), gpu.adapter)).toEqual({ entries: new Map([[RESULT.key, { candidate: 'fast', ms: 1.235, default: 'slow', defaultMs: 2, gflops: 12.35 }]]) });
    expect(shadersHash()).toMatch(/^[0-9a-f]{8}$/);
  });

  it('does not hold for other shaders, another adapter, another format, or when it is damaged', () => {
    expect(parseTable(changed({ shaders: '00000000' }), gpu.adapter)).toEqual({ reason: 'was made with other kernels than these' });
    expect(parseTable(text(), { ...gpu.adapter, description: 'a newer driver' })).toEqual({ reason: 'is for another adapter or driver' });
    expect(parseTable(changed({ format: 'graft-tuning-0' }), gpu.adapter)).toEqual({ reason: 'is of another version of Graft (graft-tuning-0)' });
    for (const bad of ['', 'null', '[]', '{}', '"x"', text().slice(0, -9), changed({ entries: 3 }), changed({ entries: [] })]) {
      expect(parseTable(bad, gpu.adapter), bad).toEqual({ reason: 'is damaged' });
    }
  });

  it('leaves out entries that are none', () => {
    const bad = { a: null, b: {}, c: { candidate: 1, ms: 1, default: 'x', defaultMs: 1, gflops: 1 }, d: { candidate: 'x', ms: 'fast', default: 'x', defaultMs: 1, gflops: 1 } };
    expect(parseTable(changed({ entries: { ...bad, good: entries.get(RESULT.key) } }), gpu.adapter)).toEqual({ entries: new Map([['good', entries.get(RESULT.key)]]) });
  });

  it('is kept under a name for each adapter and driver', () => {
    expect(adapterKey(gpu.adapter)).toMatch(/^[a-z0-9-]+$/);
    expect(adapterKey({ ...gpu.adapter, description: '' })).not.toBe(adapterKey(gpu.adapter));
    expect(adapterKey({ ...gpu.adapter, vendor: '../..', description: '/etc/passwd\u0000' })).toMatch(/^etc-passwd-[0-9a-f]{8}$/);
    expect(adapterKey({ ...gpu.adapter, vendor: '', architecture: '', device: '', description: '' })).toMatch(/^unnamed-adapter-/);
  });
});

describe('what is kept', () => {
  let dir: string;
  const warnings: string[] = [];
  const warn = (message: string): void => void warnings.push(message);
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'graft-tuning-'));
    warnings.length = 0;
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));
  const path = (): string => join(dir, `${adapterKey(gpu.adapter)}.json`);

  it('is used by the device it is for, over what is shipped, until it is forgotten', async () => {
    const store = diskTuningStore(join(dir, 'not', 'there yet'));
    const key = problemOf(matmulFamily, SHAPE).key;
    const [, second] = matmulFamily.candidates(gpu, SHAPE);
    expect(await keepResults(gpu.adapter, store, [{ ...RESULT, key, candidate: second.id }, RESULT], warn)).toBe(true);
    expect(await keepResults(gpu.adapter, store, [{ ...RESULT, key: 'another' }], warn)).toBe(true);
    expect([...(await loadEntries(gpu.adapter, store, warn)).keys()].sort()).toEqual(['another', key, RESULT.key].sort());
    const before = choicesHash(gpu);
    expect(await applyTuning(gpu, store, warn)).toBe(3);
    expect(choicesHash(gpu)).not.toBe(before);
    const seen: string[] = [];
    const spy: typeof matmulFamily = {
      ...matmulFamily,
      candidates: (g, shape) => matmulFamily.candidates(g, shape).map((way) => ({ id: way.id, run: (operands) => {
        seen.push(way.id);
        way.run(operands);
      } })),
    };
    const operands = matmulFamily.operands(gpu, SHAPE, (count) => new Float32Array(count));
    launch(spy, gpu, SHAPE, operands);
    expect(seen).toEqual([second.id]);
    expect(await forgetTuning(gpu, store, warn)).toBe(true);
    expect(new Map(gpu.choices.table)).toEqual(new Map(shippedChoices(gpu.adapter)));
    expect(await applyTuning(gpu, store, warn)).toBe(0);
    expect(warnings).toEqual([]);
  });

  it('names an algorithm that is no longer there without harm', async () => {
    gpu.choices.adopt([[problemOf(matmulFamily, SHAPE).key, 'registers of an older version']]);
    const [a, b] = [[65, 48], [48, 64]].map((shape) => Tensor.fromArray(gpu, shape, new Float32Array(shape[0] * shape[1]).fill(1)));
    expect(new Set(await matmul(a, b).toArray())).toEqual(new Set([48]));
  });

  it.each([
    ['damaged', (text: string) => text.slice(0, 40), /^the tuning kept for this adapter is damaged; it is ignored \('graft tune' makes a new one\)$/],
    ['stale', (text: string) => text.replace(/"shaders": "\w+"/, '"shaders": "12345678"'), /was made with other kernels/],
    ['of another adapter', (text: string) => text.replace(/"vendor": "[^"]*"/, '"vendor": "else"'), /is for another adapter/],
  ])('is ignored with a word when it is %s, and replaced by the next', async (_, spoilt, message) => {
    const store = diskTuningStore(dir);
    await keepResults(gpu.adapter, store, [RESULT], warn);
    writeFileSync(path(), spoilt(readFileSync(path(), 'utf8')));
    expect(await applyTuning(gpu, store, warn)).toBe(0);
    expect(warnings).toEqual([expect.stringMatching(message)]);
    await keepResults(gpu.adapter, store, [{ ...RESULT, key: 'new' }], warn);
    expect([...(await loadEntries(gpu.adapter, store, warn)).keys()]).toEqual(['new']);
    expect(warnings).toHaveLength(1);
  });

  it('may be unreadable and unwritable', async () => {
    const store = diskTuningStore(dir);
    mkdirSync(path());
    expect(await applyTuning(gpu, store, warn)).toBe(0);
    expect(await keepResults(gpu.adapter, store, [RESULT], warn)).toBe(false);
    expect(warnings).toEqual([
      `what was tuned cannot be read from ${path()} (it is a folder, not a file. Name a file in it); it is ignored`, expect.stringMatching(/^what was tuned is not kept: /),
    ]);
    writeFileSync(join(dir, 'file'), '');
    expect(await keepResults(gpu.adapter, diskTuningStore(join(dir, 'file')), [RESULT], warn)).toBe(false);
    expect(readdirSync(dir).filter((name) => /lock|tmp/.test(name))).toEqual([]);
    if (process.getuid?.() === 0) return; // root may write anywhere
    chmodSync(dir, 0o500);
    expect(await keepResults({ ...gpu.adapter, vendor: 'x' }, store, [RESULT], warn)).toBe(false);
    chmodSync(dir, 0o700);
  });

  it('loses nothing when several write at once', async () => {
    const stores = [1, 2, 3, 4].map(() => diskTuningStore(dir));
    await Promise.all(stores.flatMap((store, i) => Array.from({ length: 8 }, (_, j) => keepResults(gpu.adapter, store, [{ ...RESULT, key: `${i} ${j}` }], warn))));
    expect((await loadEntries(gpu.adapter, stores[0], warn)).size).toBe(32);
    expect(readdirSync(dir)).toHaveLength(1);
    expect(warnings).toEqual([]);
  });

  it('is not locked for ever by a process that was killed', async () => {
    const lock = `${path()}.lock`;
    mkdirSync(lock);
    utimesSync(lock, new Date(0), new Date(0));
    expect(await keepResults(gpu.adapter, diskTuningStore(dir), [RESULT], warn)).toBe(true);
    expect(existsSync(lock)).toBe(false);
  });
});

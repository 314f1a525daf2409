/** The seeded formula gives the same bits as scripts/reference/seeded.py, whose values test/fixtures/seeded.json holds. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { HostTensor } from '../src/hostTensor';
import { SEEDED_FORMULA, seededInputs, seededStateDict, seededValues } from '../src/weights/seeded';

interface Reference {
  formula: string;
  streams: { name: string; count: number; seed: number; scale: number; offset: number; values: number[] }[];
  inputs: { shape: number[]; seed: number; sha256: string };
  models: {
    arch: string;
    seed: number;
    shapes: Record<string, number[]>;
    sha256: string;
    first: Record<string, number[]>;
  }[];
}

const reference = JSON.parse(readFileSync(new URL('./fixtures/seeded.json', import.meta.url), 'utf8')) as Reference;

function sha256(tensors: Iterable<HostTensor>): string {
  const hash = createHash('sha256');
  for (const { data } of tensors) hash.update(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
  return hash.digest('hex');
}

describe('the seeded formula', () => {
  it('is the one the fixtures were made with', () => {
    expect(SEEDED_FORMULA).toBe(reference.formula);
  });

  it.each(reference.streams)('gives the values of Python for "$name"', (stream) => {
    const values = seededValues(stream.name, stream.count, stream.seed, stream.scale, stream.offset);
    expect([...values]).toEqual(stream.values);
  });

  it('gives the inputs of Python', () => {
    const inputs = seededInputs(reference.inputs.shape, reference.inputs.seed);
    expect(inputs.shape).toEqual(reference.inputs.shape);
    expect(sha256([inputs])).toBe(reference.inputs.sha256);
  });

  it.each(reference.models)('gives the state dict of Python for $arch', (model) => {
    const state = seededStateDict(new Map(Object.entries(model.shapes)), model.seed);
    expect([...state.keys()]).toEqual(Object.keys(model.shapes));
    for (const [name, first] of Object.entries(model.first)) {
      expect([...state.get(name)!.data.subarray(0, 2)].map(Number), name).toEqual(first);
    }
    expect(sha256(state.values())).toBe(model.sha256);
  });

  it('stays in its ranges, and uses the whole of them', () => {
    const values = seededValues('range', 100_000, 3, 2, 10);
    const sorted = values.toSorted();
    expect(sorted[0]).toBeGreaterThanOrEqual(8);
    expect(sorted[0]).toBeLessThan(8.001);
    expect(sorted.at(-1)).toBeLessThan(12);
    expect(sorted.at(-1)).toBeGreaterThan(11.999);
    expect(sorted[50_000]).toBeCloseTo(10, 1);
  });

  it('gives other values for another name or seed', () => {
    const base = [...seededValues('a', 8, 1, 1)];
    expect([...seededValues('b', 8, 1, 1)]).not.toEqual(base);
    expect([...seededValues('a', 8, 2, 1)]).not.toEqual(base);
    expect([...seededValues('a', 9, 1, 1)].slice(0, 8)).toEqual(base);
  });

  it('shrinks the last norm of a residual block only', () => {
    const shapes = new Map([['a.bn2.weight', [64]], ['b.bn2.weight', [64]], ['b.bn3.weight', [64]], ['bn1.weight', [64]]]);
    const state = seededStateDict(shapes, 1);
    const means = [...state.values()].map(({ data }) => (data as Float32Array).reduce((sum, x) => sum + x, 0) / 64);
    expect(means.map((mean) => mean < 0.4)).toEqual([true, false, true, false]);
  });

  it.each([-1, 0.5, 2 ** 32, Number.NaN])('refuses the seed %s', (seed) => {
    expect(() => seededValues('x', 1, seed, 1)).toThrow(/seed must be an integer/);
  });
});

/** Loops written out: the text, and every kernel so written, compiled on Dawn's null backend. */
import { create } from 'webgpu';
import { describe, expect, it } from 'vitest';
import { kernels } from '../src/gpu/kernel';
import { unroll } from '../src/gpu/unroll';

// For their side effect: each makes its kernels.
import.meta.glob<object>('../src/kernels/**/*.ts', { eager: true });

const instance = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);

const plain = (code: string): string => code.replace(/\s+/g, ' ').trim();

describe('unroll', () => {
  it('writes a loop of constant turns out, its variable a constant of each block', () => {
    expect(plain(unroll('const N = 2u;\nfn f() { for (var i = 0u; i < N; i++) { a[i] = i; } }')))
      .toBe('const N = 2u; fn f() { { const i = 0u; a[i] = i; } { const i = 1u; a[i] = i; } }');
  });
  it('follows constants made of others, steps, and bounds that an outer loop sets', () => {
    const turns = (head: string, constants = ''): number => unroll(`${constants}\nfn f() { for (${head}) { go(); } }`).split('go()').length - 1;
    expect(turns('var i = 0u; i < OWN; i++', 'const OWN = TILE / LANES;\nconst TILE = 8u;\nconst LANES = 2u;')).toBe(4);
    expect(turns('var i = 1u; i < 2u * (3u + 1u); i += 3u')).toBe(3);
    expect(turns('var i = 0; i < 3; i++')).toBe(3);
    expect(unroll('fn f() { for (var i = 0u; i < 3u; i++) { for (var j = 0u; j < i; j++) { go(); } } }').split('go()').length - 1).toBe(3);
  });
  it.each([
    ['a bound that is not constant', 'for (var i = 0u; i < params.n; i++) { go(); }'],
    ['many turns', 'for (var i = 0u; i < 65u; i++) { go(); }'],
    ['a way out', 'for (var i = 0u; i < 4u; i++) { if (x) { break; } go(); }'],
    ['a variable that the body moves', 'for (var i = 0u; i < 4u; i++) { i += 1u; go(); }'],
    ['a constant that is hidden', 'var N = 3u; { let N = n(); for (var i = 0u; i < n; i++) { go(); } }'],
  ])('leaves a loop with %s', (_, loop) => {
    expect(unroll(`fn f() { ${loop} }`)).toBe(`fn f() { ${loop} }`);
  });
  it('writes out the inner loops of one that stays', () => {
    expect(unroll('fn f() { for (var k = 0u; k < n; k++) { for (var i = 0u; i < 3u; i++) { go(); } } }').split('go()').length - 1).toBe(3);
  });

  it('leaves kernels that compile, and none of the register tiles\' loops', async () => {
    const adapter = await instance.requestAdapter();
    const features = ['subgroups', 'shader-f16', 'chromium-experimental-subgroup-matrix'].filter((f) => adapter?.features.has(f));
    const device = await adapter?.requestDevice({ requiredFeatures: features as GPUFeatureName[] });
    if (!device) throw new Error('Dawn has no null backend');
    const wrong: string[] = [];
    let shorter = 0;
    for (const kernel of kernels) {
      const code = unroll(kernel.code);
      if (code.split('for (').length < kernel.code.replace(/\/\/[^\n]*/g, '').split('for (').length) shorter++;
      device.pushErrorScope('validation');
      device.createComputePipeline({ layout: 'auto', compute: { module: device.createShaderModule({ code }), entryPoint: kernel.entry, constants: kernel.constants } });
      const error = await device.popErrorScope();
      if (error) wrong.push(`${kernel.key}: ${error.message}`);
    }
    expect(wrong).toEqual([]);
    expect(shorter).toBeGreaterThan(20);
  });
});

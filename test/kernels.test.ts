/**
 * Every kernel, at every variant that launchers choose, compiles and declares what `reflect` says it declares. On
 * Dawn's null backend: no GPU is needed.
 */
import { create } from 'webgpu';
import { beforeAll, describe, expect, it } from 'vitest';
import { Gpu, type AdapterFacts } from '../src/gpu/gpu';
import { kernels, type Kernel } from '../src/gpu/kernel';
import { reflect, specialise } from '../src/gpu/wgsl';
import { conv2d, conv2dBackwardInput, conv2dBackwardWeight } from '../src/kernels/conv2d/conv2d';
import { matmul } from '../src/kernels/matmul/matmul';
import { subgroupMatrixCandidates } from '../src/kernels/matmul/subgroupMatrix';
import { Tensor } from '../src/tensor';

// For their side effect: each makes its kernels.
const modules = import.meta.glob<object>('../src/kernels/*.ts', { eager: true });
const shaders = import.meta.glob<string>('../shaders/*.wgsl', { eager: true, query: '?raw', import: 'default' });

/** Kept while tests run: an instance that is collected takes its devices along. */
const instance = create(['backend=null', 'enable-dawn-features=allow_unsafe_apis']);
let device: GPUDevice;

const FEATURES = ['subgroups', 'shader-f16', 'chromium-experimental-subgroup-matrix'];

beforeAll(async () => {
  const adapter = await instance.requestAdapter();
  if (!adapter) throw new Error('Dawn has no null backend');
  device = await adapter.requestDevice({ requiredFeatures: FEATURES.filter((f) => adapter.features.has(f)) as GPUFeatureName[] });
});

/** Runs `fn` in an error scope and returns the message of what it did wrong. */
async function errorOf(fn: () => unknown): Promise<string | undefined> {
  device.pushErrorScope('validation');
  fn();
  return (await device.popErrorScope())?.message;
}

function moduleOf(kernel: Kernel): GPUShaderModule {
  return device.createShaderModule({ code: kernel.code });
}

/** Products of many shapes, so that their launchers choose every tiling they have. */
function manyShapes(gpu: Gpu): void {
  const options = { stride: [2, 2], padding: [1, 1], dilation: [1, 1] } as const;
  const empty = (...shape: number[]): Tensor => Tensor.empty(gpu, shape);
  for (const m of [1, 3, 4, 7, 8, 64, 1000]) {
    for (const n of [1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32, 64, 1000]) {
      for (const transposeB of [false, true]) matmul(empty(m, 9), transposeB ? empty(n, 9) : empty(9, n), { transposeB });
    }
  }
  for (const groups of [1, 2, 8]) {
    for (const channels of [1, 2, 3, 4, 5, 8, 12, 16, 64]) {
      for (const out of [1, 2, 3, 4, 5, 8, 12, 16, 64]) {
        for (const extent of [2, 32]) {
          const [x, weight] = [empty(1, extent, extent, channels * groups), empty(3, 3, channels, out * groups)];
          const dy = conv2d(x, weight, { ...options, groups });
          conv2dBackwardInput(dy, weight, x.shape, { ...options, groups });
          conv2dBackwardWeight(x, dy, weight.shape, { ...options, groups });
        }
      }
    }
  }
}

describe('kernels', () => {
  for (const sharedLanes of [1, 4, 8]) {
    for (const software of [false, true]) {
      it(`compile in every tiling: ${sharedLanes} lanes, ${software ? 'software' : 'hardware'}`, async () => {
        const facts: AdapterFacts = { vendor: '', architecture: '', device: '', description: 'null', software, sharedLanes };
        const gpu = new Gpu(device, facts);
        expect(await gpu.precompile(() => manyShapes(gpu))).toBeGreaterThan(8);
      });
    }
  }

  it('for matrix units compile in each shape that an adapter may have', async () => {
    const shapes = [[8, 8, 8, 'f32'], [8, 8, 8, 'f16'], [16, 16, 16, 'f16'], [8, 16, 16, 'f16']] as const;
    const configs = shapes.map(([M, N, K, componentType]) => ({ M, N, K, componentType, resultComponentType: 'f32' }));
    const adapterInfo = { subgroupMinSize: 32, subgroupMaxSize: 32, subgroupMatrixConfigs: [...configs, { ...configs[1], resultComponentType: 'f16' }] };
    const dispatched: Kernel[] = [];
    const gpu = { device: { features: device.features, limits: device.limits, adapterInfo }, dispatch: (kernel: Kernel) => dispatched.push(kernel) } as unknown as Gpu;
    const ids = new Set<string>();
    for (const dtype of ['f32', 'f16'] as const) {
      const tensor = { gpu, dtype, storage: {} } as Tensor;
      for (const [n, transposeA, transposeB] of [[64, false, false], [70, true, true]] as const) {
        for (const { id, run } of subgroupMatrixCandidates(gpu, { batch: 1, m: 64, n, k: 9, transposeA, transposeB, dtype })) {
          ids.add(`${id} ${dtype}`);
          run({ a: tensor, b: tensor, out: tensor });
        }
      }
    }
    expect([...ids].sort()).toEqual(shapes.map(([M, N, K, dtype]) => `subgroup matrix ${M}x${N}x${K} ${dtype}`).sort());
    for (const kernel of dispatched) {
      const wrong = await errorOf(() => device.createComputePipeline({ layout: 'auto', compute: { module: moduleOf(kernel), entryPoint: kernel.entry } }));
      expect(wrong, kernel.key).toBeUndefined();
    }
    expect(subgroupMatrixCandidates(gpu, { batch: 1, m: 31, n: 64, k: 9, transposeA: false, transposeB: false })).toEqual([]);
  });

  it('are made by every module that holds a shader', () => {
    expect(Object.keys(modules).length).toBeGreaterThan(12);
    const entries = new Set([...kernels].map(({ entry }) => entry));
    for (const [path, source] of Object.entries(shaders)) {
      for (const [, entry] of source.matchAll(/@compute[^{]*?fn\s+(\w+)/g)) expect(entries, `${path}: no kernel uses ${entry}`).toContain(entry);
    }
  });

  it('compile, with the bindings that reflection finds and no others', async () => {
    const wrong: string[] = [];
    for (const kernel of kernels) {
      const { bindings } = kernel.reflection;
      const layout = device.createBindGroupLayout({
        entries: bindings.map(({ binding, access }) => ({
          binding, visibility: 4, buffer: { type: access === 'uniform' ? 'uniform' as const : access === 'read' ? 'read-only-storage' as const : 'storage' as const },
        })),
      });
      const compute = { entryPoint: kernel.entry, constants: kernel.constants };
      const tooFew = await errorOf(() => {
        const module = moduleOf(kernel);
        device.createComputePipeline({ layout: device.createPipelineLayout({ bindGroupLayouts: [layout] }), compute: { module, ...compute } });
      });
      if (tooFew) wrong.push(`${kernel.key}: ${tooFew}`);
      // A bind group must match an automatic layout exactly: a binding that the shader does not use is refused.
      const tooMany = await errorOf(() => {
        const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module: moduleOf(kernel), ...compute } });
        const size = 4 * Math.max(4, Math.ceil(kernel.reflection.params.length / 4) * 4);
        device.createBindGroup({
          layout: pipeline.getBindGroupLayout(0),
          entries: bindings.map(({ binding, access }) => ({
            binding, resource: { buffer: device.createBuffer({ size, usage: access === 'uniform' ? 0x40 : 0x80 }) },
          })),
        });
      });
      if (tooMany) wrong.push(`${kernel.key}: ${tooMany}`);
    }
    expect(wrong).toEqual([]);
    expect(kernels.size).toBeGreaterThan(50);
  });

  it('have keys of their own', () => {
    const byKey = new Map<string, Kernel>();
    for (const kernel of kernels) {
      const other = byKey.get(kernel.key);
      if (other) expect(other.code, `two kernels share the key ${kernel.key}`).toBe(kernel.code);
      byKey.set(kernel.key, kernel);
    }
  });

  it('that do not compile are noticed here', async () => {
    expect(await errorOf(() => device.createShaderModule({ code: '@compute @workgroup_size(1) fn f() { let x = y; }' }))).toMatch(/unresolved/);
  });
});

describe('reflect', () => {
  const source = `
    struct Params { a: u32, b: f32, c: i32 } // order counts
    @group(0) @binding(0) var<uniform> params: Params;
    @group(0) @binding(1) var<storage, read> x: array<f32>;
    @group(0) @binding(2) var<storage, read_write> y: array<f32>;
    @group(0) @binding(3) var<storage, read> unused: array<f32>; // x unused
    fn helper() -> f32 { return x[0]; }
    fn other() -> f32 { return unused[0]; }
    @compute @workgroup_size(1) fn main() { y[params.a] = helper(); }
    @compute @workgroup_size(1) fn bare() { }`;
  it('follows calls to the bindings an entry point uses', () => {
    expect(reflect(source, 'main')).toEqual({
      name: 'main',
      bindings: [{ name: 'params', binding: 0, access: 'uniform' }, { name: 'x', binding: 1, access: 'read' }, { name: 'y', binding: 2, access: 'read_write' }],
      params: [{ name: 'a', type: 'u32' }, { name: 'b', type: 'f32' }, { name: 'c', type: 'i32' }],
    });
    expect(reflect(source, 'bare')).toEqual({ name: 'bare', bindings: [], params: [] });
    expect(() => reflect(source, 'gone')).toThrow(/no function 'gone'/);
  });
});

describe('specialise', () => {
  const source = 'const TILE = 8u;\nalias Element = f32;\nfn f() -> u32 { const TILE2 = 3u; return TILE; }';
  it('rewrites a declaration and nothing else', () => {
    expect(specialise(source, { TILE: 4, Element: 'f16' })).toBe('const TILE = 4u;\nalias Element = f16;\nfn f() -> u32 { const TILE2 = 3u; return TILE; }');
  });
  it('refuses a name that is not declared at module scope', () => {
    expect(() => specialise(source, { TILE2: 4 })).toThrow(/declares no const or alias 'TILE2'/);
  });
});

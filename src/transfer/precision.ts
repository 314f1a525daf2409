/**
 * The element type of what is not trained. In `float16` the frozen parts of a network keep their weights and compute in
 * f16, with sums in f32: half the memory, half the bytes to move. What is trained stays f32, and is given f32.
 */
import { DeviceError, UsageError, suggest } from '../errors';
import type { Gpu } from '../gpu/gpu';
import { sizeClass } from '../gpu/buffers';
import { Conv2d } from '../layers/conv2d';
import { Parameter, type Module } from '../layers/module';
import type { ResNet } from '../models/resnet';
import { Tensor, type FloatDtype } from '../tensor';

export const PRECISIONS = ['float32', 'float16'] as const;

export type Precision = (typeof PRECISIONS)[number];

/** @throws UsageError with the nearest known one. */
export function precisionName(name: string): Precision {
  const known = PRECISIONS.find((precision) => precision === name);
  if (known) return known;
  throw new UsageError(`no precision is called '${name}'.${suggest(name, PRECISIONS)}`);
}

/** @throws DeviceError where the adapter cannot. */
export function assertPrecision({ device, adapter }: Gpu, precision: Precision): void {
  if (precision === 'float32' || device.features.has('shader-f16')) return;
  const name = adapter.description || `${adapter.vendor} ${adapter.architecture}`;
  throw new DeviceError(`precision 'float16' needs the adapter's shader-f16 feature, which '${name}' lacks; use precision 'float32'`);
}

/** `float16` when a part of the network is. */
export function precisionOf(network: ResNet): Precision {
  return convolutionsOf(network).some(({ dtype }) => dtype === 'f16') ? 'float16' : 'float32';
}

/**
 * Gives each part of the network (see `ResNet.parts`) its type: f16 to those that a precision of `float16` allows and
 * nothing of which is trained, f32 to the others. Rounds what becomes f16; what becomes f32 keeps the numbers it has.
 * @throws DeviceError where the adapter cannot.
 */
export function applyPrecision(network: ResNet, precision: Precision): void {
  assertPrecision(network.gpu, precision);
  let changed = false;
  for (const [, modules] of network.parts()) {
    const dtype = dtypeOf(modules, precision);
    for (const module of modules) {
      if (convolutionsOf(module).every((layer) => layer.dtype === dtype)) continue;
      module.to(dtype);
      changed = true;
    }
  }
  // What the weights took before would only lie about.
  if (changed) network.gpu.trim();
}

/**
 * Runs `fn` as if `applyPrecision` had been called, on paper: it sees weights of the right types without memory or
 * values. `saved`: bytes that the real ones would take less than the present ones.
 */
export async function asIfIn<T>(network: ResNet, precision: Precision, fn: (saved: number) => Promise<T>): Promise<T> {
  assertPrecision(network.gpu, precision);
  const types = new Map([...network.parts()].flatMap(([, modules]) => {
    const dtype = dtypeOf(modules, precision);
    return modules.flatMap((module) => convolutionsOf(module).map((layer): [Conv2d, FloatDtype] => [layer, dtype]));
  }));
  const changed = [...types].filter(([layer, dtype]) => layer.dtype !== dtype).map(([layer, dtype]) => ({ layer, dtype, before: layer.weight }));
  let saved = 0;
  try {
    await network.gpu.precompile(() => {
      for (const { layer, dtype, before } of changed) {
        layer.weight = new Parameter(Tensor.empty(network.gpu, before.shape, dtype), before.layout);
        layer.weight.requiresGrad = before.requiresGrad;
        saved += sizeClass(before.storage.bytes) - sizeClass(layer.weight.storage.bytes);
      }
    });
    return await fn(saved);
  } finally {
    for (const { layer, before } of changed) layer.weight = before;
  }
}

function dtypeOf(modules: readonly Module[], precision: Precision): FloatDtype {
  return precision === 'float16' && modules.every((module) => module.parameters().every(({ requiresGrad }) => !requiresGrad)) ? 'f16' : 'f32';
}

function convolutionsOf(module: Module): Conv2d[] {
  return [...module.modules()].map(([, layer]) => layer).filter((layer) => layer instanceof Conv2d);
}

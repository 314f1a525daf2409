/**
 * Where a device comes from: the browser's `navigator.gpu`, or Dawn (the `webgpu` package) in Node.
 * Nothing is touched until `openGpu` is called.
 */
import { DeviceError } from '../errors';
import { Gpu, type AdapterFacts } from './gpu';
import { shippedChoices } from './shipped';

export interface OpenGpuOptions {
  /** Use this device; Graft neither configures nor destroys it. */
  readonly device?: GPUDevice;
  /** Choose an adapter of your own; its full limits and features are requested. */
  readonly adapter?: GPUAdapter;
  /** `hardware` refuses a software adapter, `software` prefers one. Default: hardware if there is one, else software. */
  readonly prefer?: 'hardware' | 'software';
  /** Dawn's toggles in Node, e.g. `['enable-dawn-features=disable_robustness']`. Ignored in a browser. */
  readonly dawnOptions?: readonly string[];
}

/** Features that kernels or the profiler can use, requested when the adapter has them. */
const WANTED: readonly string[] = ['shader-f16', 'timestamp-query', 'subgroups', 'chromium-experimental-subgroup-matrix'];

/**
 * Opens a device with the adapter's full limits.
 * @throws DeviceError when there is no WebGPU, no adapter, or no adapter of the preferred kind.
 */
export async function openGpu(options: OpenGpuOptions = {}): Promise<Gpu> {
  if (options.device) return withShippedChoices(new Gpu(options.device, factsOf(options.device.adapterInfo, options.device)));
  const adapter = options.adapter ?? (await findAdapter(options));
  const requiredFeatures = WANTED.filter((feature) => adapter.features.has(feature)) as GPUFeatureName[];
  const requiredLimits: Record<string, number> = {};
  for (const name of Object.keys(Object.getPrototypeOf(adapter.limits) as object).concat(Object.keys(adapter.limits))) {
    const value = (adapter.limits as unknown as Record<string, unknown>)[name];
    if (typeof value === 'number') requiredLimits[name] = value;
  }
  let device: GPUDevice;
  try {
    device = await adapter.requestDevice({ label: 'graft', requiredFeatures, requiredLimits });
  } catch (error) {
    throw new DeviceError(`the adapter '${adapter.info.description || 'without a name'}' gave no device: ${(error as Error).message}`);
  }
  return withShippedChoices(new Gpu(device, factsOf(adapter.info, device), true));
}

function withShippedChoices(gpu: Gpu): Gpu {
  gpu.choices.adopt(shippedChoices(gpu.adapter));
  return gpu;
}

let shared: Promise<Gpu> | undefined;

/** The device that `load` uses when none is given; opened once, and again after it was lost. */
export function defaultGpu(): Promise<Gpu> {
  const forget = (): void => {
    shared = undefined;
  };
  if (shared === undefined) {
    shared = openGpu();
    shared.then(({ device }) => void device.lost.then(forget), forget);
  }
  return shared;
}

async function findAdapter({ prefer, dawnOptions = [] }: OpenGpuOptions): Promise<GPUAdapter> {
  const gpu = await entryPoint(dawnOptions);
  const found: GPUAdapter[] = [];
  for (const request of [{ powerPreference: 'high-performance' }, {}, { forceFallbackAdapter: true }] as const) {
    const adapter = await gpu.requestAdapter(request);
    if (adapter) found.push(adapter);
    if (adapter && !isSoftware(adapter.info) && prefer !== 'software') return adapter;
  }
  const software = found.find((adapter) => isSoftware(adapter.info));
  const chosen = prefer === 'hardware' ? undefined : (software ?? found[0]);
  if (chosen) return chosen;
  throw new DeviceError(
    prefer === 'hardware' && software
      ? `only a software adapter was found (${software.info.description || 'without a name'}); install a driver for the GPU, or drop the preference for hardware`
      : inNode()
        ? "no WebGPU adapter was found; install a GPU driver with Vulkan, Metal or Direct3D 12, or a software one ('graft doctor' shows the command)"
        : 'no WebGPU adapter was found: the browser has WebGPU, but gives no GPU to it',
  );
}

function inNode(): boolean {
  return typeof process !== 'undefined' && Boolean(process.versions?.node);
}

/** Dawn's instances by options. Kept for ever: an instance that is collected takes its devices along. */
const instances = new Map<string, GPU>();

async function entryPoint(dawnOptions: readonly string[]): Promise<GPU> {
  if (typeof navigator !== 'undefined' && navigator.gpu) return navigator.gpu;
  if (!inNode()) {
    throw new DeviceError('this browser has no WebGPU; use a current Chrome, Edge, Safari or Firefox over https or localhost');
  }
  const key = dawnOptions.join(' ');
  const known = instances.get(key);
  if (known) return known;
  // The name is a variable so that bundlers for the browser do not look for the package.
  const name = 'webgpu';
  const dawn = (await import(/* @vite-ignore */ name).catch((error: Error) => {
    throw new DeviceError(`Node needs the 'webgpu' package for a GPU (npm install webgpu): ${error.message.split('\n')[0]}`);
  })) as { create(options: string[]): GPU };
  const instance = dawn.create([...dawnOptions]);
  instances.set(key, instance);
  return instance;
}

function isSoftware(info: GPUAdapterInfo): boolean {
  return info.isFallbackAdapter || /llvmpipe|lavapipe|swiftshader|basic render|software/i.test(`${info.architecture} ${info.device} ${info.description}`);
}

function factsOf(info: GPUAdapterInfo, gpuDevice: GPUDevice): AdapterFacts {
  const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize } = info;
  const software = isSoftware(info);
  // llvmpipe has subgroups of eight. SwiftShader has four, and gains nothing from sharing.
  const shares = software && gpuDevice.features.has('subgroups') && subgroupMinSize === 8 && subgroupMaxSize === 8;
  return { vendor, architecture, device, description, software, sharedLanes: shares ? 8 : 1 };
}

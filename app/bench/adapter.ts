/** What this browser computes on, asked without opening a device. */

export interface AdapterView {
  /** As people know it. */
  readonly name: string;
  readonly software: boolean;
  /** Label and value, in order. */
  readonly facts: readonly (readonly [string, string])[];
}

/** The adapter, or why there is none, in words. */
export async function findAdapter(): Promise<AdapterView | { readonly missing: string }> {
  if (!isSecureContext) return { missing: 'WebGPU works only on pages that come over https, or from this machine (localhost).' };
  // The types say it is always there.
  const gpu = (navigator as { readonly gpu?: GPU }).gpu;
  if (!gpu) return { missing: 'This browser has no WebGPU, or it is switched off.' };
  let adapter: GPUAdapter | null;
  try {
    adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  } catch (error) {
    return { missing: `The browser has WebGPU, but gave no adapter: ${error instanceof Error ? error.message : String(error)}` };
  }
  if (!adapter) return { missing: 'The browser has WebGPU, but gives no adapter: this GPU or its driver is not supported, or it is switched off.' };
  const { vendor, architecture, description, isFallbackAdapter } = adapter.info;
  const name = description || [vendor, architecture].filter(Boolean).join(' ') || 'An adapter without a name';
  const { maxBufferSize, maxStorageBufferBindingSize, maxComputeInvocationsPerWorkgroup, maxComputeWorkgroupStorageSize } = adapter.limits;
  const features = ['shader-f16', 'subgroups', 'timestamp-query'].filter((each) => adapter.features.has(each));
  return {
    name, software: isFallbackAdapter || /swiftshader|llvmpipe|lavapipe|basic render/i.test(`${architecture} ${description}`),
    facts: [
      ['Adapter', name],
      ['Vendor, architecture', [vendor, architecture].filter(Boolean).join(', ') || 'not told'],
      ['Largest buffer', `${megabytes(maxBufferSize)}, bound: ${megabytes(maxStorageBufferBindingSize)}`],
      ['Workgroup', `${maxComputeInvocationsPerWorkgroup} invocations, ${Math.round(maxComputeWorkgroupStorageSize / 1024)} KB`],
      ['Features', features.join(', ') || 'none of those that matter here'],
      ['Processors', String(navigator.hardwareConcurrency)],
    ],
  };
}

const megabytes = (bytes: number): string => `${Math.round(bytes / 2 ** 20).toLocaleString()} MB`;

/** What is known of the adapter that a device came from. */

export interface AdapterFacts {
  readonly vendor: string;
  readonly architecture: string;
  readonly device: string;
  readonly description: string;
  /** True for an adapter that runs on the CPU. */
  readonly software: boolean;
  /** Invocations of a subgroup that had better share what they read: 8 on a software adapter with such subgroups, else 1. */
  readonly sharedLanes: number;
}

/** One shape that an adapter's matrix units compute, as WebGPU reports it. */
export interface MatrixConfig {
  readonly componentType: string;
  readonly resultComponentType: string;
  readonly M: number;
  readonly N: number;
  readonly K: number;
}

/** The matrix units of a device with the experimental feature, and the size of its subgroups where they have but one; else undefined. */
export function matrixUnits({ features, adapterInfo }: GPUDevice): { readonly subgroup: number; readonly configs: readonly MatrixConfig[] } | undefined {
  if (!(features as ReadonlySet<string>).has('chromium-experimental-subgroup-matrix')) return undefined;
  // Not among the types of WebGPU yet.
  const { subgroupMinSize, subgroupMaxSize, subgroupMatrixConfigs = [] } = adapterInfo as GPUAdapterInfo & { readonly subgroupMatrixConfigs?: Iterable<MatrixConfig> };
  return subgroupMinSize !== undefined && subgroupMinSize === subgroupMaxSize ? { subgroup: subgroupMinSize, configs: [...subgroupMatrixConfigs] } : undefined;
}

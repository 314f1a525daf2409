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

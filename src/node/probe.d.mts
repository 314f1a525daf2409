/** Types of probe.mjs. */
export interface AdapterInfo {
  vendor: string;
  architecture: string;
  device: string;
  /** Name and version of the driver, where Dawn tells. */
  description: string;
  /** Runs on the CPU. */
  software: boolean;
}

export type Probe =
  | { status: 'ok'; info: AdapterInfo; features: string[]; limits: Record<string, number> }
  | { status: 'no-adapter' }
  | { status: 'no-package' }
  | { status: 'failed'; message: string };

export interface ProbeOptions {
  /** Added to the child's environment. */
  env?: Readonly<Record<string, string>>;
  /** Milliseconds; default 60,000. */
  timeoutMs?: number;
}

export function webgpuPath(): string | null;
export function probeAdapter(options?: ProbeOptions): Promise<Probe>;

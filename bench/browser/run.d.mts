/** Types of what the bench page uses of run.mjs. */
export interface EngineEntry {
  readonly packages: readonly string[];
  readonly kinds: readonly ('kernels' | 'model')[];
}
export declare const ENGINES: Readonly<Record<string, EngineEntry>>;
export declare function lacking(name: string): readonly string[];
export declare function versionOf(name: string): string | null;

export interface OwnModel {
  readonly depth: number;
  readonly batch: number;
  readonly size: number;
  readonly workloads: readonly string[];
}

export interface Wanted {
  readonly suites: readonly string[];
  readonly engines: readonly string[];
  readonly size: 'quick' | 'standard' | 'full';
  readonly software: boolean;
  readonly own?: OwnModel;
  readonly rounds?: number;
  /** Only rows whose name has this in it. */
  readonly only?: string;
}

export interface Listeners {
  readonly onProgress: (suite: string, text: string) => void;
  readonly onSection: (suite: string, section: Record<string, unknown>) => void;
  readonly onFailure: (suite: string, why: string) => void;
}
export declare function runBench(wanted: Wanted, listeners: Listeners): Promise<{ readonly stopped: boolean; readonly notes: readonly string[] }>;
export declare function stop(): void;

/** Milliseconds by phase; see lib/start.mjs. */
export interface Visit {
  readonly phases?: Readonly<Record<string, number>>;
  readonly marks?: Readonly<Record<string, number>>;
  readonly total: number;
  readonly second: number;
  readonly pipelines?: number;
  readonly late?: number;
}
export declare function measureVisit(url: string, how: 'cold' | 'warm' | 'together'): Promise<Visit>;

/** Types of run.mjs, for the tests. */
export class SetupError extends Error {
  constructor(message: string, options?: { output?: string; offline?: boolean });
  output: string;
  offline: boolean;
}
export interface RunOptions {
  cwd?: string;
  env?: Record<string, string>;
  shell?: boolean;
}
export function run(command: string, args: readonly string[], options?: RunOptions): Promise<{ status: number; output: string }>;
export function tail(output: string, count?: number): string;
export function looksOffline(output: string): boolean;

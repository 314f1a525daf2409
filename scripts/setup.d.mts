/** Types of setup.mjs, for the tests. */
export interface SetupOptions {
  adapter?: boolean;
  browser?: boolean;
  dryRun?: boolean;
  log?: (line: string) => void;
}
export const ROOT: string;
export function nodeProblem(version?: string): string | null;
export function setup(options?: SetupOptions): Promise<{ env: Record<string, string>; browser: string | null; firefox: string | null }>;
export function reportSetupError(error: unknown): void;

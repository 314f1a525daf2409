/** Types of packages.mjs, for the tests. */
export interface LockEntry {
  version?: string;
  integrity?: string;
  optional?: boolean;
  devOptional?: boolean;
  peer?: boolean;
}
export interface Lock {
  packages?: Record<string, LockEntry>;
}
export function packagesProblem(lock: Lock | null, installed: Lock | null): string | null;
export function checkPackages(root: string): string | null;
export function npmCommand(env?: Record<string, string | undefined>, platform?: string): { command: string; args: string[]; shell: boolean };
export function installPackages(root: string): Promise<void>;

/** Types of build.mjs, for the tests. */
export function newest(path: string): number;
export function isFresh(root: string, outputs: readonly string[], sources: readonly string[]): boolean;
export function build(root: string, options?: { types?: boolean; log?: (line: string) => void }): Promise<void>;
export function appIsFresh(root: string): boolean;
export function buildApp(root: string, options?: { log?: (line: string) => void }): Promise<void>;

/** Types of plans.mjs. */
export type Size = 'quick' | 'standard' | 'full';
export declare const SUITES: Readonly<Record<string, { readonly title: string; readonly what: string }>>;
export declare const SIZES: readonly Size[];
export declare function secondsOf(suite: string, size: Size, software: boolean): number | null;

/** Types of finishTypes.mjs, for the tests. */
export function finishTypes(types?: string, source?: string): void;

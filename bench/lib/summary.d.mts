/** Types of what the bench page uses of summary.mjs. */
export declare function ratioText(value: number): string;

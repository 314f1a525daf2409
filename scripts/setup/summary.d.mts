/** Types of summary.mjs, for the tests. */
export interface VitestReport {
  numPassedTests?: number;
  numFailedTests?: number;
  numPendingTests?: number;
  numTodoTests?: number;
  testResults?: { status: string; assertionResults: { status: string }[] }[];
}
export function summarise(report: VitestReport | null, run: { status: number; failedBefore?: number }): { line: string; ok: boolean };

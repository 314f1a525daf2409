/** The closing line of `npm test`, from Vitest's JSON report. */

/**
 * `{ line, ok }` from the report (null when Vitest wrote none), Vitest's exit status, and the number of checks that
 * failed before it ran. A file that failed without a failed test in it (it did not load) is one failure, and so is a
 * bad exit status that nothing in the report explains (an error outside any test).
 */
export function summarise(report, { status, failedBefore = 0 }) {
  const passed = report?.numPassedTests ?? 0;
  const skipped = (report?.numPendingTests ?? 0) + (report?.numTodoTests ?? 0);
  const broken = (report?.testResults ?? []).filter(
    (file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'),
  );
  let failed = (report?.numFailedTests ?? 0) + broken.length;
  if (status !== 0 && failed === 0) failed = 1;
  failed += failedBefore;
  const line = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  return { line, ok: failed === 0 && passed > 0 };
}

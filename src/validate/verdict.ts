/** What a validation gives: a verdict a fixture, a check a tensor; as a table, as JSON, as an exit status. */

/** One tensor of a fixture against what the engine computed. Indices are in PyTorch's layout. */
export interface Check {
  /** The fixture's tensor: `output`, `grad_weight`, `after.fc.bias`; or `frozen NAME`, compared with its own start. */
  readonly tensor: string;
  readonly pass: boolean;
  /** max|got - want| / max(max|want|, 1e-6) over finite elements; infinite where NaN or infinities do not match. */
  readonly error: number;
  /** The largest error that passes; 0 where every bit must be the same. */
  readonly bound: number;
  /** Where the largest difference is, and both values there. Empty for a scalar. */
  readonly index: readonly number[];
  readonly got: number;
  readonly want: number;
}

export interface Verdict {
  readonly name: string;
  /** The fixture's op, or an empty string when it could not be read. */
  readonly op: string;
  /** `error`: it could not be run at all (unreadable, an unknown op, something missing, shapes that do not fit). */
  readonly status: 'pass' | 'fail' | 'error';
  readonly checks: readonly Check[];
  /** The fixture's metadata loosened a bound. */
  readonly loosened: boolean;
  /** What was wrong, for `error`. */
  readonly message?: string;
}

/** Exit status: 2 when a fixture could not be run (or there was none), else 1 when one failed, else 0. */
export function exitCode(verdicts: readonly Verdict[]): 0 | 1 | 2 {
  if (verdicts.length === 0 || verdicts.some(({ status }) => status === 'error')) return 2;
  return verdicts.some(({ status }) => status === 'fail') ? 1 : 0;
}

/** The check nearest to its bound, or furthest past it. */
export function worstCheck({ checks }: Verdict): Check | undefined {
  const share = ({ error, bound, pass }: Check): number => (pass ? 0 : 1e9) + (error === 0 ? 0 : error / (bound || 1e-30));
  return checks.reduce<Check | undefined>((worst, check) => (worst && share(worst) >= share(check) ? worst : check), undefined);
}

/**
 * A row a fixture with its worst tensor, a line for each further tensor that failed, and a summary.
 * `failuresOnly` leaves out the fixtures that passed.
 */
export function formatVerdicts(verdicts: readonly Verdict[], { failuresOnly = false }: { failuresOnly?: boolean } = {}): string {
  const rows = [['fixture', 'op', 'tensor', 'error', 'bound', 'worst at', 'verdict']];
  for (const verdict of verdicts) {
    if (failuresOnly && verdict.status === 'pass') continue;
    const worst = worstCheck(verdict);
    rows.push([
      verdict.name, verdict.op, worst?.tensor ?? '', worst ? formatError(worst.error) : '', worst ? formatBound(worst, verdict) : '',
      worst ? formatPlace(worst) : '', verdict.status === 'error' ? `error: ${verdict.message ?? ''}` : verdict.status,
    ]);
    for (const check of verdict.checks) {
      if (check.pass || check === worst) continue;
      rows.push(['', '', check.tensor, formatError(check.error), formatBound(check, verdict), formatPlace(check), 'fail']);
    }
  }
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => row[column].length)));
  const lines = rows.length === 1 ? [] : rows.map((row) => row.map((cell, i) => (i === row.length - 1 ? cell : cell.padEnd(widths[i]))).join('  ').trimEnd());
  return [...lines, summary(verdicts)].join('\n');
}

function summary(verdicts: readonly Verdict[]): string {
  const count = (status: Verdict['status']): number => verdicts.filter((v) => v.status === status).length;
  const loosened = verdicts.filter((v) => v.loosened).length;
  const parts = [`${verdicts.length} fixture${verdicts.length === 1 ? '' : 's'}: ${count('pass')} passed, ${count('fail')} failed, ${count('error')} could not be run`];
  if (loosened > 0) parts.push(`${loosened} with a bound loosened by the fixture (*)`);
  return parts.join('; ');
}

function formatError(error: number): string {
  if (error === 0) return '0';
  return Number.isFinite(error) ? error.toExponential(1) : 'not finite';
}

function formatBound({ bound }: Check, { loosened }: Verdict): string {
  if (bound === 0) return 'exact';
  return `${bound.toExponential(0)}${loosened ? ' *' : ''}`;
}

function formatPlace({ error, pass, index, got, want }: Check): string {
  if (error === 0 && pass) return '';
  return `[${index.join(', ')}] ${formatValue(got)}, not ${formatValue(want)}`;
}

function formatValue(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(7))) : String(value);
}

/** The verdicts as JSON. What is not finite, which JSON cannot say, becomes the strings NaN, Infinity, -Infinity. */
export function verdictsToJson(verdicts: readonly Verdict[]): string {
  return JSON.stringify(
    { exitCode: exitCode(verdicts), verdicts },
    (_, value: unknown) => (typeof value === 'number' && !Number.isFinite(value) ? String(value) : value),
    2,
  );
}

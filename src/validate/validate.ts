/** Runs fixtures of docs/fixtures.md on the engine. Whatever is wrong with one becomes its verdict, never an exception. */
import { UsageError, suggest } from '../errors';
import type { Gpu } from '../gpu/gpu';
import { Fixture, type FixtureFile } from './fixture';
import { checkLogits } from './logitsCheck';
import { checkOp } from './opCheck';
import { OPS } from './ops';
import { checkOptimizer } from './optimizerCheck';
import { checkTrain } from './trainCheck';
import type { Check, Verdict } from './verdict';

/** Checks that are more than one operation. */
const WHOLE: Readonly<Record<string, (gpu: Gpu, fixture: Fixture) => Promise<Check[]>>> = {
  train: checkTrain, logits: checkLogits, optimizer: checkOptimizer,
};

/**
 * Runs one fixture. `file` is an opened weights file, or the promise of one (`openWeights(...)`): a file that cannot be
 * opened is a verdict too. `name` is what reports call it.
 */
export async function validateFixture(gpu: Gpu, file: FixtureFile | Promise<FixtureFile>, name: string): Promise<Verdict> {
  let op = '';
  try {
    const fixture = new Fixture(await file);
    op = fixture.op;
    const checks = await run(gpu, fixture);
    fixture.finish();
    return { name, op, status: checks.every(({ pass }) => pass) ? 'pass' : 'fail', checks, loosened: fixture.loosened };
  } catch (error) {
    const message = (error instanceof Error ? error.message : String(error)).split('\n')[0];
    return { name, op, status: 'error', checks: [], loosened: false, message };
  }
}

function run(gpu: Gpu, fixture: Fixture): Promise<Check[]> {
  const { op } = fixture;
  if (Object.hasOwn(WHOLE, op)) return WHOLE[op](gpu, fixture);
  if (Object.hasOwn(OPS, op)) return checkOp(gpu, fixture, OPS[op]);
  throw new UsageError(`no operation is called '${op}'.${suggest(op, [...Object.keys(OPS), ...Object.keys(WHOLE)])}`);
}

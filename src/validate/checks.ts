/** What a fixture is checked by, by its op. */
import { UsageError, suggest } from '../errors';
import type { Gpu } from '../gpu/gpu';
import type { Fixture } from './fixture';
import { checkLogits } from './logitsCheck';
import { checkOp } from './opCheck';
import { OPS } from './ops';
import { checkOptimizer } from './optimizerCheck';
import { checkTrain } from './trainCheck';
import type { Check } from './verdict';

/** Checks that are more than one operation. */
const WHOLE: Readonly<Record<string, (gpu: Gpu, fixture: Fixture) => Promise<Check[]>>> = {
  train: checkTrain, logits: checkLogits, optimizer: checkOptimizer,
};

/** @throws UsageError for an op that nobody knows, and whatever the engine throws. */
export function runChecks(gpu: Gpu, fixture: Fixture): Promise<Check[]> {
  const { op } = fixture;
  if (Object.hasOwn(WHOLE, op)) return WHOLE[op](gpu, fixture);
  if (Object.hasOwn(OPS, op)) return checkOp(gpu, fixture, OPS[op]);
  throw new UsageError(`no operation is called '${op}'.${suggest(op, [...Object.keys(OPS), ...Object.keys(WHOLE)])}`);
}

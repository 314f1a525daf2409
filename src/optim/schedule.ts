/** Learning rates by step, as pure functions: nothing to restore when training resumes. */
import { UsageError, suggest } from '../errors';

export type ScheduleName = 'constant' | 'cosine' | 'onecycle';

const NAMES: readonly ScheduleName[] = ['constant', 'cosine', 'onecycle'];

/** Cosine from a to b as p goes from 0 to 1. */
function anneal(a: number, b: number, p: number): number {
  return b + ((a - b) / 2) * (1 + Math.cos(Math.PI * p));
}

/** Checks a name. @throws UsageError with the nearest known one. */
export function scheduleName(name: string): ScheduleName {
  if ((NAMES as readonly string[]).includes(name)) return name as ScheduleName;
  throw new UsageError(`no schedule is called '${name}'.${suggest(name, NAMES)}`);
}

/**
 * `torch.optim.lr_scheduler.CosineAnnealingLR`: from `lr` to `etaMin` over `total` steps (Loshchilov and Hutter, 2017).
 */
export function cosineRate(step: number, total: number, lr: number, etaMin = 0): number {
  return anneal(lr, etaMin, step / total);
}

/**
 * `torch.optim.lr_scheduler.OneCycleLR` with cosine annealing (Smith and Topin, 2018): up from `maxLr / divFactor` over
 * `pctStart` of the steps, then down to `maxLr / divFactor / finalDivFactor`.
 */
export function oneCycleRate(
  step: number,
  total: number,
  maxLr: number,
  { pctStart = 0.3, divFactor = 25, finalDivFactor = 1e4 }: { pctStart?: number; divFactor?: number; finalDivFactor?: number } = {},
): number {
  const initial = maxLr / divFactor;
  const top = pctStart * total - 1;
  if (step <= top) return anneal(initial, maxLr, top <= 0 ? 1 : step / top);
  return anneal(maxLr, initial / finalDivFactor, Math.min(1, (step - top) / (total - 1 - top)));
}

/** The rate of step `step` (from 0) of `total`. */
export function rateAt(schedule: ScheduleName, step: number, total: number, lr: number): number {
  if (schedule === 'constant') return lr;
  return schedule === 'cosine' ? cosineRate(step, total, lr) : oneCycleRate(step, total, lr);
}

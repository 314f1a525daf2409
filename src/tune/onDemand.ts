/** The tuner, fetched when it is first asked for: most pages never do. */
import type { Gpu } from '../gpu/gpu';
import type { Problem } from './problems';
import type { TuneReport } from './report';
import type { TuneOptions } from './tuner';

/**
 * Tunes each problem, and the problems its algorithms are made of before it. Winners are used by this device from then on
 * (`gpu.choices`). The list's order is the order of work, for a budget that ends early.
 * @throws DeviceError when the device is lost. An algorithm that fails is excluded, a problem too large is left out.
 */
export async function tune(gpu: Gpu, problems: readonly Problem[], options: TuneOptions = {}): Promise<TuneReport> {
  const tuner = await import('./tuner');
  return tuner.tune(gpu, problems, options);
}

/** Runs fixtures of docs/fixtures.md on the engine. Whatever is wrong with one becomes its verdict, never an exception. */
import type { Gpu } from '../gpu/gpu';
import { Fixture, type FixtureFile } from './fixture';
import type { Verdict } from './verdict';

/**
 * Runs one fixture. `file` is an opened weights file, or the promise of one (`openWeights(...)`): a file that cannot be
 * opened is a verdict too. `name` is what reports call it.
 */
export async function validateFixture(gpu: Gpu, file: FixtureFile | Promise<FixtureFile>, name: string): Promise<Verdict> {
  let op = '';
  try {
    const fixture = new Fixture(await file);
    op = fixture.op;
    const { runChecks } = await import('./checks'); // fetched when a first fixture is run: most pages run none
    const checks = await runChecks(gpu, fixture);
    fixture.finish();
    return { name, op, status: checks.every(({ pass }) => pass) ? 'pass' : 'fail', checks, loosened: fixture.loosened };
  } catch (error) {
    const message = (error instanceof Error ? error.message : String(error)).split('\n')[0];
    return { name, op, status: 'error', checks: [], loosened: false, message };
  }
}

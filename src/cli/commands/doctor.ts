/** `graft doctor`: what this machine offers, what is missing, and how to mend it. */
import { doctor as examine, formatDoctor } from '../../node/doctor';

/** Exit status 1 when Graft cannot work here. */
export async function doctor({ json = false }: { readonly json?: boolean }): Promise<number> {
  const report = await examine();
  process.stdout.write(json ? `${JSON.stringify(report, null, 2)}\n` : formatDoctor(report));
  return report.problems.some(({ severity }) => severity === 'error') ? 1 : 0;
}

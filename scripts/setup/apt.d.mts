/** Types of apt.mjs, for the tests. */
import type { AptInstall } from '../../src/node/system.mjs';
export function installArgs(install: Pick<AptInstall, 'packages' | 'suite'>): string[];
export function installSteps(install: AptInstall): string[];
export function aptInstall(install: AptInstall, log: (line: string) => void): Promise<void>;

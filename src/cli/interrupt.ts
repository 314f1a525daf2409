/** Ctrl-C: the first stops cleanly, the second ends the process at once. SIGTERM is like a first Ctrl-C. */
import { constants } from 'node:os';

export interface Interruption {
  readonly signal: AbortSignal;
  /** The exit status that tells which signal it was: 130 for Ctrl-C. */
  readonly status: number;
  /** Gives the signals their usual meaning back. */
  restore(): void;
}

export function onInterrupt(tell: () => void): Interruption {
  const controller = new AbortController();
  let status = 0;
  const handle = (name: 'SIGINT' | 'SIGTERM'): void => {
    status = 128 + constants.signals[name];
    if (controller.signal.aborted) {
      process.stdout.write('\n');
      process.exit(status);
    }
    controller.abort();
    tell();
  };
  process.on('SIGINT', handle);
  process.on('SIGTERM', handle);
  return {
    signal: controller.signal,
    get status() {
      return status;
    },
    restore() {
      process.off('SIGINT', handle);
      process.off('SIGTERM', handle);
    },
  };
}
